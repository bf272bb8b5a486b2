import { Dialog } from "@/components/Dialog";

const SHORTCUTS = [
  ["?", "Show these shortcuts"],
  ["/", "Search on this page"],
  ["f", "Deployment, hosts: go to the next failed or unreachable host"],
  ["Enter", "Deployment, hosts: open the host in focus"],
  ["j", "Deployment, log: follow new output, or stop following"],
  ["Esc", "Close a dialog or the host panel"],
] as const;

export function ShortcutsDialog({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title="Keyboard shortcuts" onClose={onClose}>
      <dl className="grid grid-cols-[auto_1fr] items-center gap-x-4 gap-y-2 text-sm">
        {SHORTCUTS.map(([key, meaning]) => (
          <div key={key} className="contents">
            <dt>
              <kbd className="border-edge/50 bg-sunken inline-block min-w-7 rounded border px-1.5 py-0.5 text-center font-mono text-xs">
                {key}
              </kbd>
            </dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
