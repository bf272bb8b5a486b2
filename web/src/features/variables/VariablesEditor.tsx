import type { FieldError } from "@/api/types";
import { Button, IconButton } from "@/components/Button";
import { Checkbox } from "@/components/Field";
import { Icon } from "@/components/Icon";
import { readValue, variableError, type VariableRow } from "./variableRows";

/** Variables as rows of name, value, and whether the value is secret. */
export function VariablesEditor({
  rows,
  errors,
  hint,
  onChange,
}: {
  rows: readonly VariableRow[];
  errors: readonly FieldError[];
  hint?: string | undefined;
  onChange: (rows: VariableRow[]) => void;
}) {
  const general = errors.filter(({ field }) => field === "variables" || field === "secret_variables");
  const edit = (key: number, changes: Partial<VariableRow>) => {
    onChange(rows.map((row) => (row.key === key ? { ...row, ...changes } : row)));
  };
  const add = () => {
    const key = Math.max(-1, ...rows.map((row) => row.key)) + 1;
    onChange([...rows, { key, name: "", value: "", secret: false }]);
  };
  return (
    <section aria-label="Variables">
      <div className="mb-2 flex items-end justify-between gap-2">
        <div>
          <h2 className="font-semibold">Variables</h2>
          <p className="text-faint text-xs">
            A value is text, or JSON: <code>3</code>, <code>true</code>, <code>["a"]</code>, and{" "}
            <code>"3"</code> for a number as text. {hint}
          </p>
        </div>
        <Button small icon="plus" onClick={add}>
          Add variable
        </Button>
      </div>
      {general.map((error) => (
        <p key={error.message} className="text-failed mb-2 text-sm">
          {error.message}
        </p>
      ))}
      {rows.length === 0 && <p className="text-soft text-sm">None.</p>}
      <ul className="space-y-2">
        {rows.map((row, index) => {
          const error = variableError(errors, row);
          const which = row.name === "" ? `variable ${index + 1}` : row.name;
          return (
            <li key={row.key}>
              <div className="grid grid-cols-[1fr_auto] items-center gap-2 sm:grid-cols-[minmax(0,2fr)_minmax(0,3fr)_auto_auto]">
                <input
                  aria-label={`Name of variable ${index + 1}`}
                  placeholder="name"
                  autoCapitalize="none"
                  spellCheck={false}
                  autoFocus={row.name === "" && row.value === ""}
                  aria-invalid={error !== undefined || undefined}
                  className="control font-mono"
                  value={row.name}
                  onChange={(event) => {
                    edit(row.key, { name: event.target.value });
                  }}
                />
                <div className="relative max-sm:col-start-1">
                  <input
                    aria-label={`Value of ${which}`}
                    placeholder="value"
                    type={row.secret ? "password" : "text"}
                    autoComplete="off"
                    spellCheck={false}
                    aria-invalid={error !== undefined || undefined}
                    className="control pr-16 font-mono"
                    value={row.value}
                    onChange={(event) => {
                      edit(row.key, { value: event.target.value });
                    }}
                  />
                  {!row.secret && row.value !== "" && (
                    <span className="text-faint pointer-events-none absolute inset-y-0 right-2.5 flex items-center text-xs">
                      {kindOf(readValue(row.value))}
                    </span>
                  )}
                </div>
                <label className="flex items-center gap-1.5 text-sm max-sm:col-start-2 max-sm:row-start-2">
                  <Checkbox
                    label={`Secret: ${which}`}
                    checked={row.secret}
                    onChange={(secret) => {
                      edit(row.key, { secret });
                    }}
                  />
                  <span aria-hidden="true">secret</span>
                </label>
                <IconButton
                  icon="trash"
                  label={`Remove ${which}`}
                  className="max-sm:col-start-2 max-sm:row-start-1"
                  onClick={() => {
                    onChange(rows.filter((other) => other.key !== row.key));
                  }}
                />
              </div>
              {error !== undefined && (
                <p className="text-failed mt-1 flex items-center gap-1 text-xs">
                  <Icon name="warning" className="size-3.5" />
                  {error}
                </p>
              )}
            </li>
          );
        })}
      </ul>
    </section>
  );
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "list";
  if (typeof value === "object") return "map";
  return typeof value === "string" ? "text" : typeof value;
}
