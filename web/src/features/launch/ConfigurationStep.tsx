import { messageAbout } from "@/api/client";
import { TextAreaField, TextField } from "@/components/Field";
import { OptionFields } from "@/features/options/OptionFields";
import { VariablesEditor } from "@/features/variables/VariablesEditor";
import { CommandFields } from "./CommandFields";
import type { LaunchForm } from "./launchForm";
import type { StepProps } from "./LaunchWizard";
import { PlaybookChoice } from "./PlaybookChoice";
import { PlaybookFormPart } from "./PlaybookFormPart";

type TextKey = "name" | "description";

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
      <OptionFields form={form} change={change} errors={errors} adhoc={adhoc} playbook={form.playbook} />
    </div>
  );
}
