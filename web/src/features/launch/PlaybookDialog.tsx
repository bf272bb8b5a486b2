import { useQuery } from "@tanstack/react-query";

import { fileQuery } from "@/api/playbookQueries";
import type { Playbook } from "@/api/types";
import { CopyButton } from "@/components/Copy";
import { Dialog } from "@/components/Dialog";
import { ErrorNotice, Loading, Notice } from "@/components/Notice";

/** What a playbook of the library says in one of its versions. */
export function PlaybookDialog({
  playbook,
  version,
  onClose,
}: {
  playbook: Playbook;
  version: string;
  onClose: () => void;
}) {
  const file = useQuery(fileQuery(playbook.package_id, version, playbook.entry_path));
  return (
    <Dialog
      title={playbook.outline.name ?? playbook.id}
      description={<code>{playbook.id}</code>}
      shape="wide"
      onClose={onClose}
    >
      {file.isPending && <Loading what="the playbook" />}
      {file.isError && (
        <ErrorNotice
          title="The playbook could not be read"
          error={file.error}
          onRetry={() => void file.refetch()}
        />
      )}
      {file.data?.content === null && <Notice tone="info">It is too large to be shown here.</Notice>}
      {typeof file.data?.content === "string" && (
        <>
          <div className="mb-1 flex justify-end">
            <CopyButton text={file.data.content} what="playbook" />
          </div>
          <pre
            tabIndex={0}
            aria-label="Content"
            className="bg-sunken overflow-x-auto rounded-md p-3 font-mono text-xs leading-5"
          >
            {file.data.content}
          </pre>
        </>
      )}
    </Dialog>
  );
}
