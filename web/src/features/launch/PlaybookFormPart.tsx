import { ErrorNotice, Loading, Notice } from "@/components/Notice";
import { FindingRows } from "@/features/playbooks/FindingRows";
import { FormFields } from "./FormFields";
import { withEntry } from "./given";
import type { StepProps } from "./LaunchWizard";

/** What the chosen playbook asks for. */
export function PlaybookFormPart({ form, change, errors, context }: StepProps) {
  const { definition, definitionError, definitionLoading, hidden, lower } = context;
  if (definitionLoading) return <Loading what="the playbook's form" />;
  if (definitionError !== null)
    return <ErrorNotice title="The playbook's form could not be read" error={definitionError} />;
  if (definition === undefined) return null;
  if (definition.form === null)
    return (
      <Notice tone="error" title={`${definition.path} has faults, so there is no form to fill in`}>
        <FindingRows findings={definition.errors} />
      </Notice>
    );
  const fields = definition.form.fields.filter((field) => !hidden.has(field.name));
  if (fields.length === 0) return null;
  return (
    <section aria-label="Form">
      <h2 className="font-semibold">{context.playbook?.outline.name}</h2>
      <p className="text-faint mb-3 text-xs">
        {definition.source === "draft"
          ? "Drafted from what the playbook asks for and defines. What you leave alone stays as the playbook has it."
          : "What this playbook needs to know."}
      </p>
      <FormFields
        fields={fields}
        answers={form.answers}
        files={form.files}
        lower={lower}
        errors={errors}
        onAnswer={(name, answer) => {
          change({ answers: withEntry(form.answers, name, answer) });
        }}
        onFile={(name, file) => {
          change({ files: withEntry(form.files, name, file) });
        }}
      />
    </section>
  );
}
