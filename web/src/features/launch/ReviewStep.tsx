import type { UseQueryResult } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";

import type { CreateDeployment, DeploymentPreview, Finding } from "@/api/types";
import { Button } from "@/components/Button";
import { CheckboxField } from "@/components/Field";
import { ErrorNotice, Loading, Notice } from "@/components/Notice";
import { Fact, Facts } from "@/components/Page";
import { OptionFacts } from "@/features/deployments/OptionFacts";
import { FindingRows } from "@/features/playbooks/FindingRows";
import { countFindings } from "@/features/playbooks/findings";
import type { LaunchForm, Step } from "./launchForm";
import { PresetDialog } from "./PresetDialog";
import { PreviewVariables } from "./PreviewVariables";
import { ReviewTargets } from "./ReviewTargets";
import type { LaunchContext } from "./useLaunchContext";

interface Props {
  form: LaunchForm;
  request: CreateDeployment;
  context: LaunchContext;
  preview: UseQueryResult<DeploymentPreview>;
  /** Whether the findings of the version that is shown were read. */
  acknowledged: boolean;
  onAcknowledge: (on: boolean) => void;
  onEdit: (step: Step) => void;
}

/** Exactly what will run, and on whom. */
export function ReviewStep({ form, request, context, preview, acknowledged, onAcknowledge, onEdit }: Props) {
  const findings = preview.data?.findings ?? [];
  const needed = preview.data?.acknowledgement_needed ?? false;
  const adhoc = form.kind === "adhoc";
  return (
    <div className="space-y-7">
      {preview.isError && (
        <ErrorNotice
          title="The preview could not be made"
          error={preview.error}
          onRetry={() => void preview.refetch()}
        />
      )}
      {(preview.data?.errors.length ?? 0) > 0 && (
        <Notice tone="error" title="This cannot be launched as it is">
          <ul className="list-disc pl-4">
            {preview.data?.errors.map((error) => (
              <li key={`${error.field} ${error.message}`}>
                <code className="text-xs">{error.field}</code> {error.message}
              </li>
            ))}
          </ul>
        </Notice>
      )}
      {(preview.data?.warnings.length ?? 0) > 0 && (
        <Notice tone="warning">
          <ul className={preview.data?.warnings.length === 1 ? "" : "list-disc pl-4"}>
            {preview.data?.warnings.map((warning) => (
              <li key={warning}>{warning}</li>
            ))}
          </ul>
        </Notice>
      )}
      {(findings.length > 0 || needed) && (
        <Findings
          findings={findings}
          needed={needed}
          acknowledged={acknowledged}
          onAcknowledge={onAcknowledge}
        />
      )}
      <div className="grid gap-7 lg:grid-cols-2">
        <Part
          title="Configuration"
          onEdit={() => {
            onEdit("configuration");
          }}
        >
          <Facts>
            {adhoc ? (
              <Fact name="Command">
                <code className="text-xs break-all">
                  {form.module} {form.moduleArguments}
                </code>
              </Fact>
            ) : (
              <PlaybookFacts form={form} preview={preview.data} context={context} />
            )}
            <Fact name="Name">
              {request.name ?? (
                <span className="text-faint">{adhoc ? "the module's name" : "the playbook's name"}</span>
              )}
            </Fact>
            {request.description != null && (
              <Fact name="Description">
                <span className="whitespace-pre-line">{request.description}</span>
              </Fact>
            )}
          </Facts>
          <div className="mt-1.5">
            <OptionFacts options={preview.data?.options ?? request.options ?? {}} />
          </div>
        </Part>
        <Part
          title="Servers"
          onEdit={() => {
            onEdit("servers");
          }}
        >
          <ReviewTargets form={form} />
        </Part>
      </div>
      {!adhoc && (
        <section aria-label="Variables">
          <div className="mb-2 flex items-center justify-between gap-2">
            <h2 className="font-semibold">Variables</h2>
            {form.playbook !== "" && <SaveAsPreset form={form} context={context} />}
          </div>
          {preview.isPending && <Loading what="the variables" />}
          {preview.data && (
            <PreviewVariables variables={preview.data.variables} context={context} form={form} />
          )}
        </section>
      )}
    </div>
  );
}

function PlaybookFacts({
  form,
  preview,
  context,
}: {
  form: LaunchForm;
  preview: DeploymentPreview | undefined;
  context: LaunchContext;
}) {
  const environment = context.environments.find((known) => known.id === form.environmentId);
  const preset = context.presets.find((known) => known.id === form.presetId);
  return (
    <>
      <Fact name="Playbook">
        <code className="text-xs">{form.playbook || "none chosen"}</code>
      </Fact>
      {preview?.version != null && (
        <Fact name="Version">
          {preview.version.number}
          {form.versionId !== "" && <span className="text-changed"> · not today's</span>}
        </Fact>
      )}
      {environment !== undefined && <Fact name="Environment">{environment.name}</Fact>}
      {preset !== undefined && <Fact name="Preset">{preset.name}</Fact>}
    </>
  );
}

function Findings({
  findings,
  needed,
  acknowledged,
  onAcknowledge,
}: {
  findings: readonly Finding[];
  needed: boolean;
  acknowledged: boolean;
  onAcknowledge: (on: boolean) => void;
}) {
  return (
    <section
      aria-label="Findings"
      className={`rounded-md border px-4 py-3 ${needed ? "border-unreachable/60" : "border-line"}`}
    >
      <h2 className="font-semibold">
        {findings.length === 0
          ? "Nothing was found in this version"
          : `Found in it: ${countFindings(findings)}`}
      </h2>
      {findings.length > 0 && (
        <div className="max-h-72 overflow-y-auto" tabIndex={0}>
          <FindingRows findings={findings} label="Findings of this version" />
        </div>
      )}
      {needed && (
        <div className="border-line mt-2 border-t pt-3">
          <CheckboxField
            label={findings.length === 0 ? "I have looked at this version" : "I have read these findings"}
            hint="Nobody has accepted this version yet. That you do is kept in the audit log."
            checked={acknowledged}
            onChange={onAcknowledge}
          />
        </div>
      )}
    </section>
  );
}

function SaveAsPreset({ form, context }: { form: LaunchForm; context: LaunchContext }) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button
        small
        onClick={() => {
          setOpen(true);
        }}
      >
        Save as preset
      </Button>
      {open && (
        <PresetDialog
          form={form}
          hidden={context.hidden}
          onClose={() => {
            setOpen(false);
          }}
        />
      )}
    </>
  );
}

function Part({ title, onEdit, children }: { title: string; onEdit: () => void; children: ReactNode }) {
  return (
    <section aria-label={title}>
      <div className="mb-2.5 flex items-center justify-between">
        <h2 className="font-semibold">{title}</h2>
        <Button small icon="edit" aria-label={`Edit ${title.toLowerCase()}`} onClick={onEdit}>
          Edit
        </Button>
      </div>
      {children}
    </section>
  );
}
