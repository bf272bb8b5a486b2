import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { playbookFormQuery } from "@/api/playbookQueries";
import type { PackageVersion, PlaybookForm } from "@/api/types";
import { Button } from "@/components/Button";
import { LazyEditor } from "@/components/editor/LazyEditor";
import { EmptyState, ErrorNotice, Loading, Notice } from "@/components/Notice";
import { FindingRows } from "../FindingRows";
import { DiscardDialog } from "../files/DiscardDialog";
import { isDirty, without, write } from "../files/edits";
import { SaveFlow } from "../files/SaveFlow";
import type { EditingTabProps } from "../PlaybookPage";
import { FormPreview } from "./FormPreview";
import { useParsedForm } from "./useParsedForm";

export function FormTab(props: EditingTabProps) {
  const { playbook, version, edits } = props;
  // Edits stay on the version that they began with, whatever is saved meanwhile.
  const form = useQuery({
    ...playbookFormQuery(playbook.id, edits?.base ?? version.id),
    // Saving goes on while the edits move to another version.
    placeholderData: keepPreviousData,
  });
  if (form.isPending) return <Loading what="the form" />;
  if (form.isLoadingError)
    return (
      <ErrorNotice
        title="The form could not be read"
        error={form.error}
        onRetry={() => void form.refetch()}
      />
    );
  return <Loaded {...props} form={form.data} />;
}

function Loaded({
  playbook,
  of,
  version,
  operate,
  edits,
  onEdit,
  form,
}: EditingTabProps & { form: PlaybookForm }) {
  const inBase = form.source === "file" ? form.yaml : undefined;
  const made = edits?.changes[form.path];
  // Null: nobody is editing it.
  const text = edits === null ? null : (made?.content ?? form.yaml);
  const { parsed, error } = useParsedForm(text);
  const [open, setOpen] = useState<"save" | "discard" | null>(null);
  const close = () => {
    setOpen(null);
  };
  const [saved, setSaved] = useState<PackageVersion | null>(null);
  const isToday = version.id === of.current_version?.id;
  const maySave = operate && of.source === "upload" && (isToday || edits !== null);
  const draft = form.source === "draft";
  const begun = edits ?? { base: version.id, changes: {} };
  const put = (content: string) => {
    onEdit(write(begun, form.path, content, inBase));
  };
  const others = Object.keys(begun.changes).filter((path) => path !== form.path);
  const shown = parsed ?? form;
  const faulty = shown.errors.length > 0;
  return (
    <div className="space-y-4">
      <div className="flex flex-wrap items-start justify-between gap-3">
        <div>
          <h2 className="flex items-center gap-2 font-semibold">
            Form
            {draft && (
              <span className="border-changed/50 text-changed rounded border px-1.5 py-px text-xs font-medium">
                Draft
              </span>
            )}
          </h2>
          <p className="text-soft max-w-prose text-sm">
            {draft
              ? "Made from what the playbook asks for, its roles' argument specifications and its variables. A draft suggests; saved as a form it is checked at every launch."
              : `Read from ${form.path}. It is checked at every launch.`}
          </p>
        </div>
        {maySave && (
          <div className="flex flex-wrap gap-2">
            {edits === null ? (
              <Button
                icon="edit"
                onClick={() => {
                  setSaved(null);
                  onEdit(begun);
                }}
              >
                Edit
              </Button>
            ) : made !== undefined ? (
              <Button
                onClick={() => {
                  setOpen("discard");
                }}
              >
                Discard
              </Button>
            ) : (
              !isDirty(edits) && (
                <Button
                  onClick={() => {
                    onEdit(null);
                  }}
                >
                  Stop editing
                </Button>
              )
            )}
            {(draft || edits !== null) && (
              <Button
                variant="primary"
                disabled={(!draft && made === undefined) || faulty}
                title={faulty ? "There are faults in it" : undefined}
                onClick={() => {
                  if (made === undefined) put(form.yaml);
                  setOpen("save");
                }}
              >
                {draft ? "Save as form…" : "Save form…"}
              </Button>
            )}
          </div>
        )}
      </div>
      {saved !== null && edits === null && (
        <Notice tone="success" title={`Saved as version ${saved.number}`} />
      )}
      {!maySave && operate && (
        <Notice tone="info">
          {of.source === "upload"
            ? "Only today's version is edited."
            : `To change it, put this text into ${form.path} of the ${of.source === "git" ? "repository" : "folder"}.`}
        </Notice>
      )}
      {made !== undefined && others.length > 0 && (
        <Notice tone="info">Saved with it: your changes to {others.join(", ")}.</Notice>
      )}
      {error !== null && <ErrorNotice title="The text could not be checked" error={error} />}
      <div className="grid gap-6 lg:grid-cols-2">
        <section aria-label="Preview">
          <h3 className="mb-2 text-sm font-semibold">Preview</h3>
          {shown.form === null ? (
            <Notice tone="error" title="There are faults in it">
              <FindingRows findings={shown.errors} label="Faults" />
            </Notice>
          ) : shown.form.fields.length === 0 ? (
            <EmptyState icon="playbooks" title="Nothing is asked for">
              This playbook is launched as it is. Fields added to its form are filled in at launch.
            </EmptyState>
          ) : (
            <FormPreview form={shown.form} source={form.source} />
          )}
        </section>
        <section aria-label="Text">
          <h3 className="mb-2 font-mono text-xs font-semibold">{form.path}</h3>
          <div className="border-line h-[60vh] overflow-hidden rounded-md border">
            <LazyEditor
              key={`${begun.base} ${text === null}`}
              label={form.path}
              value={text ?? form.yaml}
              language="yaml"
              remarks={shown.errors}
              onChange={text === null ? undefined : put}
            />
          </div>
        </section>
      </div>
      {open === "discard" && edits !== null && (
        <DiscardDialog
          paths={[form.path]}
          onClose={close}
          onDiscard={() => {
            const left = without(edits, form.path);
            onEdit(isDirty(left) ? left : null);
          }}
        />
      )}
      {open === "save" && edits !== null && (
        <SaveFlow
          playbook={playbook}
          of={of}
          edits={edits}
          files={Object.entries(edits.changes).map(([path, change]) => ({
            path,
            state: change.content === null ? "deleted" : path === form.path && draft ? "added" : "changed",
          }))}
          onEdit={onEdit}
          onSaved={setSaved}
          onClose={close}
        />
      )}
    </div>
  );
}
