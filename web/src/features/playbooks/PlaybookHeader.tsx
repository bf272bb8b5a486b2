import { useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { useState } from "react";

import { api } from "@/api/client";
import type { Package, PackageVersion, Playbook } from "@/api/types";
import { Button, ButtonLink } from "@/components/Button";
import { ConfirmDialog } from "@/components/Dialog";
import { Icon } from "@/components/Icon";
import { Time } from "@/components/Time";
import { plural } from "@/format/numbers";
import { ORIGINS, whyNotLaunched } from "./library";
import { RunMarks } from "./RunMarks";
import { UploadDialog } from "./upload/UploadDialog";

export function PlaybookHeader({
  playbook,
  of,
  version,
  operate,
}: {
  playbook: Playbook;
  of: Package;
  version: PackageVersion | undefined;
  operate: boolean;
}) {
  const older = version !== undefined && version.id !== of.current_version?.id;
  const refusal = older ? null : whyNotLaunched(playbook);
  const origin = ORIGINS.find((known) => known.origin === playbook.origin)?.name;
  return (
    <header className="mb-4">
      <p className="text-faint mb-1 text-xs">
        <Link to="/playbooks" className="link">
          Playbooks
        </Link>{" "}
        / {origin}
      </p>
      <div className="flex flex-wrap items-start justify-between gap-x-4 gap-y-3">
        <div className="min-w-0">
          <h1 className="text-xl font-semibold tracking-tight break-words">{playbook.outline.name}</h1>
          <p className="text-soft flex flex-wrap items-center gap-x-2 gap-y-1 text-sm">
            <code className="text-xs break-all">{playbook.id}</code>
            {version !== undefined && (
              <span>
                · version {version.number}, <Time value={version.created_at} />
              </span>
            )}
            <RunMarks record={playbook.record} />
          </p>
        </div>
        {operate && (
          <div className="flex flex-wrap items-start gap-2">
            {of.origin === "custom" && <PackageActions of={of} />}
            {refusal === null ? (
              <ButtonLink
                to="/deployments/new"
                search={{ playbook: playbook.id, ...(older && { version: version.number }) }}
                variant="primary"
                icon="deployments"
              >
                {older ? `Launch version ${version.number}` : "Launch"}
              </ButtonLink>
            ) : (
              <Button variant="primary" icon="deployments" disabled title={refusal}>
                Launch
              </Button>
            )}
          </div>
        )}
      </div>
      {refusal !== null && (
        <p className="text-failed mt-2 flex items-start gap-1.5 text-sm break-words">
          <Icon name="warning" className="mt-0.5 size-4" />
          <span>
            {refusal}
            {playbook.missing_since !== null && (
              <span className="text-soft">
                {" "}
                Missing since <Time value={playbook.missing_since} />.
              </span>
            )}
          </span>
        </p>
      )}
    </header>
  );
}

function PackageActions({ of }: { of: Package }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const [open, setOpen] = useState<"delete" | "upload" | null>(null);
  const close = () => {
    setOpen(null);
  };
  return (
    <>
      <Button
        icon="trash"
        onClick={() => {
          setOpen("delete");
        }}
      >
        Delete package
      </Button>
      <Button
        icon="upload"
        onClick={() => {
          setOpen("upload");
        }}
      >
        Upload version
      </Button>
      {open === "upload" && <UploadDialog file={null} of={of} onClose={close} />}
      {open === "delete" && (
        <ConfirmDialog
          title={`Delete the package ${of.name}?`}
          action="Delete package"
          onClose={close}
          onConfirm={async () => {
            await api.delete(`/api/packages/${of.id}`);
            await navigate({ to: "/playbooks" });
            await client.invalidateQueries({ queryKey: ["playbooks"] });
          }}
        >
          <p>
            {plural(of.entry_points.length, "playbook leaves", "playbooks leave")} the library, with all
            versions: {of.entry_points.join(", ")}. Finished deployments keep their record.
          </p>
        </ConfirmDialog>
      )}
    </>
  );
}
