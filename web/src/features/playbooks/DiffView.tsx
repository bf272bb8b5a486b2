import type { FileDiff } from "@/api/types";
import { Icon } from "@/components/Icon";
import { countLines, modeChange, unifiedLines, type UnifiedLine } from "./diff";

/** With more files than this they are folded at first, and so is a file with more lines. */
const OPEN_FILES = 8;
const OPEN_LINES = 400;

/** What changed between two versions, file by file. */
export function DiffView({ files }: { files: readonly FileDiff[] }) {
  if (files.length === 0) return <p className="text-soft text-sm">Both have the same files.</p>;
  return (
    <ul aria-label="Changed files" className="space-y-3">
      {files.map((file) => (
        <li key={file.path}>
          <FileChange file={file} fold={files.length > OPEN_FILES} />
        </li>
      ))}
    </ul>
  );
}

const STATUS_LOOKS = { added: "text-success", removed: "text-failed", changed: "text-changed" };

function FileChange({ file, fold }: { file: FileDiff; fold: boolean }) {
  const lines = unifiedLines(file.diff);
  const { added, removed } = countLines(lines);
  const mode = modeChange(file.old_mode, file.new_mode);
  return (
    <details
      open={!fold && lines.length <= OPEN_LINES}
      className="border-line group overflow-hidden rounded-md border"
    >
      <summary className="bg-sunken flex cursor-pointer list-none flex-wrap items-center gap-x-3 gap-y-1 px-3 py-2 text-sm">
        <Icon name="chevronRight" className="text-faint size-3.5 group-open:rotate-90" />
        <span className="min-w-0 flex-1 font-mono text-xs font-semibold break-all">{file.path}</span>
        <span className={`text-xs ${STATUS_LOOKS[file.status]}`}>{file.status}</span>
        {mode !== null && <span className="text-soft text-xs">mode {mode}</span>}
        {!file.binary && (
          <span className="text-xs">
            <span className="text-success">+{added}</span> <span className="text-failed">−{removed}</span>
          </span>
        )}
      </summary>
      {file.binary ? (
        <p className="text-soft px-3 py-2 text-sm">Not text; its bytes differ.</p>
      ) : (
        lines.length > 0 && <Lines path={file.path} lines={lines} />
      )}
      {file.truncated && (
        <p className="text-unreachable border-line border-t px-3 py-2 text-xs">
          The rest is left out: the change is too long to show.
        </p>
      )}
    </details>
  );
}

const LOOKS: Record<UnifiedLine["kind"], { sign: string; look: string; name: string }> = {
  added: { sign: "+", look: "border-bar-success bg-success/10", name: "added" },
  removed: { sign: "−", look: "border-bar-failed bg-failed/10", name: "removed" },
  same: { sign: " ", look: "border-transparent", name: "" },
  hunk: { sign: "", look: "border-transparent bg-sunken text-faint", name: "" },
  note: { sign: "", look: "border-transparent text-faint italic", name: "" },
};

function Lines({ path, lines }: { path: string; lines: readonly UnifiedLine[] }) {
  return (
    <div className="overflow-x-auto" tabIndex={0} role="region" aria-label={`Changes of ${path}`}>
      <table className="w-full border-collapse font-mono text-xs leading-5">
        <tbody>
          {lines.map((line, index) => {
            const { sign, look, name } = LOOKS[line.kind];
            return (
              <tr key={index} className={look}>
                <LineNumber value={line.before} edge={look} />
                <LineNumber value={line.after} />
                <td className="w-4 text-center select-none">
                  <span aria-hidden="true">{sign}</span>
                  {name !== "" && <span className="sr-only">{name}</span>}
                </td>
                <td className="pr-3 whitespace-pre">{line.text}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

function LineNumber({ value, edge }: { value: number | null; edge?: string }) {
  return (
    <td
      className={`text-faint w-10 px-1.5 text-right select-none ${edge === undefined ? "" : `border-l-3 ${edge}`}`}
    >
      {value}
    </td>
  );
}
