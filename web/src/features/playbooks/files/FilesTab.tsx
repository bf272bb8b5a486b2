import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useState } from "react";

import { fileQuery, filesQuery } from "@/api/playbookQueries";
import type { PackageVersion } from "@/api/types";
import { ErrorNotice, Loading, Notice } from "@/components/Notice";
import { LazyEditor, languageOf } from "@/components/editor/LazyEditor";
import { formatBytes } from "@/format/numbers";
import { FindingRows } from "../FindingRows";
import { countFindings } from "../findings";
import type { EditingTabProps } from "../PlaybookPage";
import { editedFiles, isDirty, isExecutable, write } from "./edits";
import { EditBar } from "./EditBar";
import { FileTree } from "./FileTree";
import { useCheckedEdits } from "./useCheckedEdits";

const route = getRouteApi("/app/playbooks/$");
const NO_EDITS = { changes: {} };

export function FilesTab({ playbook, of, version, operate, edits, onEdit }: EditingTabProps) {
  const { file: wanted, line } = route.useSearch();
  const navigate = route.useNavigate();
  const [saved, setSaved] = useState<PackageVersion | null>(null);
  // Edits stay on the version that they began with, whatever is saved meanwhile.
  const shown = edits?.base ?? version.id;
  const files = useQuery(filesQuery(of.id, shown));
  const inBase = files.data?.data ?? [];
  const path = wanted ?? playbook.entry_path;
  const old = inBase.find((known) => known.path === path);
  const change = edits?.changes[path];
  const file = useQuery({ ...fileQuery(of.id, shown, path), enabled: old !== undefined });
  const { findings, checking, error } = useCheckedEdits(of.id, playbook.entry_path, edits);
  const choose = (next: string, at?: number) =>
    void navigate({
      search: (search) => ({
        ...search,
        file: next === playbook.entry_path ? undefined : next,
        line: at,
      }),
      replace: true,
    });
  if (files.isPending) return <Loading what="the files" />;
  if (files.isLoadingError)
    return (
      <ErrorNotice
        title="The files could not be read"
        error={files.error}
        onRetry={() => void files.refetch()}
      />
    );
  const listed = editedFiles(inBase, { base: shown, ...(edits ?? NO_EDITS) });
  const text = change === undefined ? file.data?.content : change.content;
  return (
    <div className="space-y-3">
      {saved !== null && edits === null && (
        <Notice tone="success" title={`Saved as version ${saved.number}`}>
          <Link
            to="/playbooks/$"
            params={{ _splat: playbook.id }}
            search={{ tab: "versions", from: saved.number - 1, to: saved.number }}
            className="link"
          >
            See what changed
          </Link>
        </Notice>
      )}
      <EditBar
        playbook={playbook}
        of={of}
        version={version}
        operate={operate}
        edits={edits}
        onEdit={(next) => {
          if (next !== null) setSaved(null);
          onEdit(next);
        }}
        onSaved={setSaved}
        path={path}
        text={text}
        inBase={inBase}
        onChoose={choose}
      />
      <div className="border-line grid overflow-hidden rounded-md border md:grid-cols-[15rem_minmax(0,1fr)]">
        <nav
          aria-label="Files of the package"
          className="border-line max-h-48 overflow-y-auto border-b md:max-h-[70vh] md:border-r md:border-b-0"
        >
          <FileTree files={listed} chosen={path} onChoose={choose} />
        </nav>
        <div className="flex min-h-80 min-w-0 flex-col md:h-[70vh]">
          <div className="border-line bg-sunken text-soft flex flex-wrap items-center gap-x-3 border-b px-3 py-1.5 text-xs">
            <span className="text-ink font-mono font-semibold break-all">{path}</span>
            {old !== undefined && change === undefined && <span>{formatBytes(old.size)}</span>}
            {old !== undefined && isExecutable(change?.mode ?? old.mode) && <span>executable</span>}
            {edits !== null && (
              <span className="text-faint ml-auto">Tab indents; Esc, then Tab leaves the text</span>
            )}
          </div>
          <div className="min-h-0 flex-1">
            {old === undefined && change === undefined ? (
              <p className="text-soft p-4 text-sm">
                {path} is not in {edits === null ? `version ${version.number}` : "the package"}. Choose a file
                of the list.
              </p>
            ) : change?.content === null ? (
              <p className="text-soft p-4 text-sm">
                {path} is deleted when you save. “Undo” above takes it back.
              </p>
            ) : change === undefined && file.isPending ? (
              <Loading what="the file" />
            ) : change === undefined && file.isLoadingError ? (
              <ErrorNotice
                className="m-3"
                title={`${path} could not be read`}
                error={file.error}
                onRetry={() => void file.refetch()}
              />
            ) : text === null || text === undefined ? (
              <p className="text-soft p-4 text-sm">
                This file is not text, or larger than 1 MiB, and is not shown.
              </p>
            ) : (
              <LazyEditor
                key={`${shown} ${path} ${edits !== null}`}
                label={path}
                value={text}
                language={languageOf(path)}
                line={line}
                remarks={findings?.filter((finding) => finding.path === path) ?? []}
                onChange={
                  edits === null
                    ? undefined
                    : (typed) => {
                        onEdit(write(edits, path, typed, file.data?.content ?? undefined));
                      }
                }
              />
            )}
          </div>
        </div>
      </div>
      {edits !== null && isDirty(edits) && (
        <section aria-label="Findings">
          <h2 role="status" className="text-sm font-semibold">
            {findings === undefined
              ? error === null
                ? "Checking…"
                : "Not checked"
              : findings.length === 0
                ? "Nothing found"
                : countFindings(findings)}
            {checking && findings !== undefined && (
              <span className="text-faint font-normal"> · checking…</span>
            )}
          </h2>
          {error !== null && <ErrorNotice title="The text could not be checked" error={error} />}
          <FindingRows
            findings={findings ?? []}
            place={(finding, place) => (
              <button
                type="button"
                className="link"
                onClick={() => {
                  choose(finding.path, finding.line ?? undefined);
                }}
              >
                {place}
              </button>
            )}
          />
        </section>
      )}
    </div>
  );
}
