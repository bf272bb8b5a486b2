import { useQuery } from "@tanstack/react-query";

import { playbookContentQuery } from "@/api/queries";
import { CopyButton } from "@/components/Copy";
import { Dialog } from "@/components/Dialog";
import { ErrorNotice, Loading } from "@/components/Notice";

/** What a playbook of the library says. */
export function PlaybookDialog({ id, onClose }: { id: string; onClose: () => void }) {
  const playbook = useQuery(playbookContentQuery(id));
  return (
    <Dialog
      title={playbook.data?.playbook.outline.name ?? id}
      description={<code>{id}</code>}
      shape="wide"
      onClose={onClose}
    >
      {playbook.isPending && <Loading what="the playbook" />}
      {playbook.isError && (
        <ErrorNotice
          title="The playbook could not be read"
          error={playbook.error}
          onRetry={() => void playbook.refetch()}
        />
      )}
      {playbook.data && (
        <>
          <div className="mb-1 flex justify-end">
            <CopyButton text={playbook.data.content} what="playbook" />
          </div>
          <pre
            tabIndex={0}
            aria-label="Content"
            className="bg-sunken overflow-x-auto rounded-md p-3 font-mono text-xs leading-5"
          >
            {playbook.data.content}
          </pre>
        </>
      )}
    </Dialog>
  );
}
