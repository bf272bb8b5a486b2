import { useId, useState, type ReactNode } from "react";

import type { FieldError, FormField } from "@/api/types";
import { Checkbox, describedBy, FieldMessage, SelectField, TextField } from "@/components/Field";
import { FileAnswer } from "./FileAnswer";
import { fieldError, sentence, type Lower } from "./given";
import { readValue, writeValue } from "@/features/variables/variableRows";
import type { Answer, ChosenFile } from "./launchForm";
import { ServerAnswer } from "./ServerAnswer";

interface FormFieldsProps {
  fields: readonly FormField[];
  answers: Readonly<Record<string, Answer>>;
  files: Readonly<Record<string, ChosenFile>>;
  lower: ReadonlyMap<string, Lower>;
  errors: readonly FieldError[];
  /** Undefined takes the answer back. */
  onAnswer: (name: string, answer: Answer | undefined) => void;
  onFile: (name: string, file: ChosenFile | undefined) => void;
}

/** The fields of a playbook's form; what is not touched is left to the environment, the preset or the default. */
export function FormFields({ fields, answers, files, lower, errors, onAnswer, onFile }: FormFieldsProps) {
  return (
    <div className="grid gap-x-4 gap-y-5 sm:grid-cols-2">
      {fields.map((field) => (
        <OneField
          key={field.name}
          field={field}
          answer={answers[field.name]}
          file={files[field.name]}
          lower={lower.get(field.name)}
          error={fieldError(errors, field.name)}
          onAnswer={(answer) => {
            onAnswer(field.name, answer);
          }}
          onFile={(file) => {
            onFile(field.name, file);
          }}
        />
      ))}
    </div>
  );
}

interface OneProps {
  field: FormField;
  answer: Answer | undefined;
  file: ChosenFile | undefined;
  lower: Lower | undefined;
  error: string | undefined;
  onAnswer: (answer: Answer | undefined) => void;
  onFile: (file: ChosenFile | undefined) => void;
}

function OneField({ field, answer, file, lower, error: said, onAnswer, onFile }: OneProps) {
  const error = said === undefined ? undefined : sentence(field, said);
  const below: unknown = lower === undefined ? field.default : "value" in lower ? lower.value : undefined;
  const value = answer === undefined ? below : readValue(answer.value);
  const set = (next: unknown) => {
    onAnswer({ value: writeValue(next), secret: false });
  };
  const hint = (
    <>
      {field.help}
      <Origin
        field={field}
        lower={lower}
        touched={answer !== undefined}
        onReset={() => {
          onAnswer(undefined);
        }}
      />
    </>
  );
  const look = { label: field.label, hint, error, optional: !field.required };
  switch (field.type) {
    case "secret":
      return (
        <TextField
          {...look}
          type="password"
          autoComplete="new-password"
          placeholder={lower === undefined ? undefined : "••••••••"}
          value={answer?.value ?? ""}
          onChange={(event) => {
            const text = event.target.value;
            onAnswer(text === "" ? undefined : { value: text, secret: true });
          }}
        />
      );
    case "file":
      return <FileAnswer {...look} file={file} onFile={onFile} />;
    case "server":
      return <ServerAnswer {...look} value={value} onChange={set} />;
    case "multi_choice":
      return <Choices field={field} hint={hint} error={error} value={value} onChange={set} />;
    case "boolean":
      return (
        <SelectField
          {...look}
          value={value === true || value === false ? String(value) : ""}
          onChange={(event) => {
            onAnswer(event.target.value === "" ? undefined : { value: event.target.value, secret: false });
          }}
        >
          {typeof value !== "boolean" && <option value="">Not set</option>}
          <option value="true">Yes</option>
          <option value="false">No</option>
        </SelectField>
      );
    case "choice":
      return (
        <SelectField
          {...look}
          value={typeof value === "string" ? value : ""}
          onChange={(event) => {
            if (event.target.value === "") onAnswer(undefined);
            else set(event.target.value);
          }}
        >
          {(typeof value !== "string" || !field.choices.includes(value)) && (
            <option value={typeof value === "string" ? value : ""}>
              {typeof value === "string" && value !== "" ? `${value} (not among the choices)` : "Choose"}
            </option>
          )}
          {field.choices.map((choice) => (
            <option key={choice} value={choice}>
              {choice}
            </option>
          ))}
        </SelectField>
      );
    case "number":
      return <NumberAnswer look={look} text={answer?.value ?? shownText(below)} onAnswer={onAnswer} />;
    default:
      return (
        <TextField
          {...look}
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          value={shownText(value)}
          onChange={(event) => {
            const text = event.target.value;
            if (text === "" && (below ?? null) === null) onAnswer(undefined);
            else set(text);
          }}
        />
      );
  }
}

/** A number as it is typed: an empty field stays empty until it is left, then what lies below shows again. */
function NumberAnswer({
  look,
  text,
  onAnswer,
}: {
  look: { label: string; hint: ReactNode; error: string | undefined; optional: boolean };
  text: string;
  onAnswer: OneProps["onAnswer"];
}) {
  const [typed, setTyped] = useState<string | null>(null);
  return (
    <TextField
      {...look}
      inputMode="decimal"
      autoComplete="off"
      value={typed ?? text}
      onChange={(event) => {
        const next = event.target.value;
        setTyped(next);
        onAnswer(next.trim() === "" ? undefined : { value: next, secret: false });
      }}
      onBlur={() => {
        setTyped(null);
      }}
    />
  );
}

function shownText(value: unknown): string {
  if (value === undefined || value === null) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** Where the value that is shown comes from, and the way back to it. */
function Origin({
  field,
  lower,
  touched,
  onReset,
}: {
  field: FormField;
  lower: Lower | undefined;
  touched: boolean;
  onReset: () => void;
}) {
  const source = lower?.source ?? ((field.default ?? null) === null ? null : "the default");
  if (source === null) return null;
  return (
    <span className="block">
      {touched ? (
        <button type="button" className="link" onClick={onReset}>
          Back to {source}
        </button>
      ) : (
        `From ${source}.`
      )}
    </span>
  );
}

function Choices({
  field,
  hint,
  error,
  value,
  onChange,
}: {
  field: FormField;
  hint: ReactNode;
  error: string | undefined;
  value: unknown;
  onChange: (value: string[]) => void;
}) {
  const id = useId();
  const chosen = Array.isArray(value) ? value.filter((one): one is string => typeof one === "string") : [];
  return (
    <fieldset
      aria-describedby={describedBy(id, error, hint)}
      aria-invalid={error !== undefined || undefined}
      tabIndex={-1}
    >
      <legend className="mb-1 flex w-full items-baseline justify-between gap-2 text-sm font-medium">
        {field.label}
        {!field.required && <span className="text-faint text-xs font-normal">optional</span>}
      </legend>
      <ul className="border-edge/60 bg-surface max-h-48 space-y-1 overflow-y-auto rounded-md border px-2.5 py-1.5">
        {field.choices.map((choice) => (
          <li key={choice} className="flex items-center gap-2 text-sm">
            <Checkbox
              id={`${id}-${choice}`}
              checked={chosen.includes(choice)}
              onChange={(on) => {
                const next = new Set(chosen);
                if (on) next.add(choice);
                else next.delete(choice);
                // In the form's order, whatever was clicked first.
                onChange(field.choices.filter((known) => next.has(known)));
              }}
            />
            <label htmlFor={`${id}-${choice}`}>{choice}</label>
          </li>
        ))}
      </ul>
      <FieldMessage id={id} error={error} hint={hint} />
    </fieldset>
  );
}
