import { messageAbout } from "@/api/client";
import type { FieldError } from "@/api/types";
import { CheckboxField, SelectField, TextField } from "@/components/Field";
import { AdvancedOptions } from "./AdvancedOptions";
import type { OptionsForm } from "./options";

const VERBOSITY = ["0, normal", "1, -v", "2, -vv", "3, -vvv", "4, -vvvv with connections"];

type TextKey = "forks" | "timeout" | "limit" | "tags" | "skipTags" | "startAtTask";

export interface OptionFieldsProps {
  form: OptionsForm;
  change: (changes: Partial<OptionsForm>) => void;
  errors: readonly FieldError[];
  /** The playbook's id; empty when there is none. */
  playbook: string;
}

/** The options of a deployment; `adhoc`: those of a single command. */
export function OptionFields({
  form,
  change,
  errors,
  playbook,
  adhoc = false,
}: OptionFieldsProps & { adhoc?: boolean }) {
  const errorOf = (field: string) => messageAbout(errors, field);
  const input = (key: TextKey, field: string) => ({
    error: errorOf(field),
    value: form[key],
    onChange: (event: { target: { value: string } }) => {
      change({ [key]: event.target.value });
    },
  });
  const toggle = (key: "check" | "diff" | "become") => ({
    checked: form[key],
    onChange: (on: boolean) => {
      change({ [key]: on });
    },
  });
  return (
    <>
      <section aria-label="Options">
        <h2 className="mb-3 font-semibold">Options</h2>
        <div className="mb-4 grid gap-3 sm:grid-cols-3">
          <CheckboxField
            label="Check mode"
            hint="Says what would change; changes nothing."
            {...toggle("check")}
          />
          <CheckboxField label="Show diffs" hint="Records what changes in files." {...toggle("diff")} />
          <CheckboxField
            label="Become root"
            hint="Runs tasks by privilege escalation."
            {...toggle("become")}
          />
        </div>
        <div className="grid gap-4 sm:grid-cols-2 lg:grid-cols-3">
          <TextField
            label="Forks"
            hint="Hosts worked on at the same time, 1 to 500."
            inputMode="numeric"
            {...input("forks", "options.forks")}
          />
          <TextField
            label="Timeout in seconds"
            hint="After this the run is ended."
            inputMode="numeric"
            {...input("timeout", "options.timeout_seconds")}
          />
          <SelectField
            label="Verbosity"
            hint="How much the log says."
            error={errorOf("options.verbosity")}
            value={form.verbosity}
            onChange={(event) => {
              change({ verbosity: event.target.value });
            }}
          >
            {VERBOSITY.map((name, level) => (
              <option key={name} value={level}>
                {name}
              </option>
            ))}
          </SelectField>
          <TextField
            label="Limit"
            optional
            hint="A host pattern that narrows the targets."
            spellCheck={false}
            {...input("limit", "options.limit")}
          />
          {!adhoc && (
            <>
              <TextField
                label="Only tasks tagged"
                optional
                hint="Separated by commas."
                spellCheck={false}
                {...input("tags", "options.tags")}
              />
              <TextField
                label="Skip tasks tagged"
                optional
                hint="Separated by commas."
                spellCheck={false}
                {...input("skipTags", "options.skip_tags")}
              />
              <TextField
                label="Start at task"
                optional
                hint="The task's whole name."
                {...input("startAtTask", "options.start_at_task")}
              />
            </>
          )}
        </div>
      </section>
      <AdvancedOptions form={form} change={change} errors={errors} playbook={playbook} />
    </>
  );
}
