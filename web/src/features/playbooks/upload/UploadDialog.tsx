import { useQuery } from "@tanstack/react-query";
import { useId, useState } from "react";

import { withQuery } from "@/api/client";
import type { Package, PackageInspection } from "@/api/types";
import { Button } from "@/components/Button";
import { Dialog, DialogActions } from "@/components/Dialog";
import { Icon } from "@/components/Icon";
import { ErrorNotice, Notice } from "@/components/Notice";
import { formatBytes } from "@/format/numbers";
import { droppedFile } from "./droppedFile";
import { InspectedForm } from "./InspectedForm";
import { Progress } from "./Progress";
import { sendFile } from "./sendFile";

const KINDS = ".yml,.yaml,.zip,.tar.gz,.tgz,.tar";

/** Takes a file, shows what is in it, and uploads it as a package. */
export function UploadDialog({
  file: given,
  of,
  onClose,
}: {
  /** Null: asks for one. */
  file: File | null;
  /** The package that it is a new version of. */
  of?: Package;
  onClose: () => void;
}) {
  const [file, setFile] = useState(given);
  return (
    <Dialog
      title={
        file !== null
          ? `Upload ${file.name}`
          : of === undefined
            ? "Upload playbooks"
            : `Upload a version of ${of.name}`
      }
      shape="wide"
      onClose={onClose}
      {...(file !== null && { description: formatBytes(file.size) })}
    >
      {file === null ? (
        <Picker onFile={setFile} />
      ) : (
        <Inspect
          file={file}
          of={of}
          onOther={() => {
            setFile(null);
          }}
          onClose={onClose}
        />
      )}
    </Dialog>
  );
}

function Picker({ onFile }: { onFile: (file: File) => void }) {
  const id = useId();
  const [over, setOver] = useState(false);
  const [refusal, setRefusal] = useState<string | null>(null);
  return (
    <>
      {refusal !== null && (
        <Notice tone="error" className="mb-3">
          {refusal}
        </Notice>
      )}
      <label
        htmlFor={id}
        onDragOver={(event) => {
          event.preventDefault();
          setOver(true);
        }}
        onDragLeave={() => {
          setOver(false);
        }}
        onDrop={(event) => {
          event.preventDefault();
          setOver(false);
          const dropped = droppedFile(event.dataTransfer);
          if (typeof dropped === "string") setRefusal(dropped);
          else onFile(dropped);
        }}
        className={`focus-within:outline-accent flex cursor-pointer flex-col items-center gap-2 rounded-lg border-2 border-dashed px-6 py-10 text-center focus-within:outline-2 ${over ? "border-accent bg-accent-tint" : "border-edge/60 hover:bg-hover"}`}
      >
        <Icon name="upload" className="text-faint size-6" />
        <span className="font-medium">Drop a file here, or choose one</span>
        <span className="text-soft text-sm">
          One playbook as .yml, or a project with its roles, templates and files as .zip or .tar.gz.
        </span>
        <input
          id={id}
          type="file"
          accept={KINDS}
          aria-label="File"
          className="sr-only"
          onChange={(event) => {
            const chosen = event.target.files?.[0];
            if (chosen !== undefined) onFile(chosen);
          }}
        />
      </label>
    </>
  );
}

function Inspect({
  file,
  of,
  onOther,
  onClose,
}: {
  file: File;
  of: Package | undefined;
  onOther: () => void;
  onClose: () => void;
}) {
  const key = useId();
  const [share, setShare] = useState(0);
  const inspected = useQuery({
    queryKey: ["inspect", key, file.name, file.size, file.lastModified],
    queryFn: ({ signal }) =>
      sendFile<PackageInspection>(
        withQuery("/api/packages/inspect", { file_name: file.name, with_ansible: "true" }),
        file,
        {
          signal,
          onProgress: setShare,
        },
      ),
    staleTime: Infinity,
    gcTime: 0,
    retry: false,
  });
  if (inspected.isPending) return <Progress share={share} then={`Looking into ${file.name}…`} />;
  if (inspected.isLoadingError)
    return (
      <>
        <ErrorNotice
          title={`${file.name} cannot be taken`}
          error={inspected.error}
          onRetry={() => void inspected.refetch()}
        />
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button variant="primary" onClick={onOther}>
            Choose another file
          </Button>
        </DialogActions>
      </>
    );
  return <InspectedForm file={file} inspected={inspected.data} of={of} onOther={onOther} onClose={onClose} />;
}
