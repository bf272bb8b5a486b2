import { messageAbout } from "@/api/client";
import { CheckboxField, SelectField, TextAreaField, TextField } from "@/components/Field";
import { AdvancedOptions } from "./AdvancedOptions";
import { CommandFields } from "./CommandFields";
import type { LaunchForm } from "./launchForm";
import type { StepProps } from "./LaunchWizard";
import { PlaybookChoice } from "./PlaybookChoice";
import { PlaybookFormPart } from "./PlaybookFormPart";
import { VariablesEditor } from "./VariablesEditor";

const VERBOSITY = ["0, normal", "1, -v", "2, -vv", "3, -vvv", "4, -vvvv with connections"];

type TextKey = "name" | "description" | "forks" | "timeout" | "limit" | "tags" | "skipTags" | "startAtTask";

const KINDS = [
  ["playbook", "A playbook"],
  ["adhoc", "A command"],
] as const;

export function ConfigurationStep(props: StepProps) {
  const { form, change, errors } = props;
  const adhoc = form.kind === "adhoc";
  const errorOf = (field: string) => messageAbout(errors, field);
  const input = (key: TextKey, field: string) => ({
    error: errorOf(field),
    value: form[key],
    onChange: (event: { target: { value: string } }) => {
      change({ [key]: event.target.value } as Pick<LaunchForm, TextKey>);
    },
  });
  const toggle = (key: "check" | "diff" | "become") => ({
    checked: form[key],
    onChange: (on: boolean) => {
      change({ [key]: on });
    },
  });
  return (
    <div className="space-y-7">
      <section className="grid gap-4 sm:grid-cols-2">
        <fieldset className="sm:col-span-2">
          <legend className="sr-only">What to run</legend>
          <div className="border-line bg-sunken inline-flex rounded-md border p-0.5">
            {KINDS.map(([kind, name]) => (
              <label
                key={kind}
                className={`has-focus-visible:outline-accent cursor-pointer rounded px-3 py-1 text-sm font-medium has-focus-visible:outline-2 ${form.kind === kind ? "bg-surface text-ink shadow-sm" : "text-soft hover:text-ink"}`}
              >
                <input
                  type="radio"
                  name="kind"
                  className="sr-only"
                  checked={form.kind === kind}
                  onChange={() => {
                    change({ kind });
                  }}
                />
                {name}
              </label>
            ))}
          </div>
        </fieldset>
        {adhoc ? (
          <CommandFields {...props} errorOf={errorOf} />
        ) : (
          <PlaybookChoice {...props} errorOf={errorOf} />
        )}
        <TextField
          label="Name"
          optional
          hint={adhoc ? "The module's name when empty." : "The playbook's name when empty."}
          {...input("name", "name")}
        />
        <TextAreaField label="Description" optional rows={2} {...input("description", "description")} />
      </section>
      {!adhoc && <PlaybookFormPart {...props} />}
      {!adhoc && (
        <VariablesEditor
          rows={form.variables}
          errors={errors}
          onChange={(variables) => {
            change({ variables });
          }}
        />
      )}
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
      <AdvancedOptions {...props} />
    </div>
  );
}
