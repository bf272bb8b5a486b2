import { ConfirmDialog } from "@/components/Dialog";
import { plural } from "@/format/numbers";

/** Asks before unsaved changes are thrown away. */
export function DiscardDialog({
  paths,
  onDiscard,
  onClose,
}: {
  paths: readonly string[];
  onDiscard: () => void;
  onClose: () => void;
}) {
  return (
    <ConfirmDialog
      title={`Discard your changes to ${plural(paths.length, "file")}?`}
      action="Discard changes"
      keep="Keep editing"
      onClose={onClose}
      onConfirm={() => {
        onDiscard();
        return Promise.resolve();
      }}
    >
      <p className="font-mono text-xs break-all">{paths.join(", ")}</p>
    </ConfirmDialog>
  );
}
