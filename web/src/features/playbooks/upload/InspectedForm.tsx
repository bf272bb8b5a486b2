import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useEffect, useRef, useState, type FormEvent } from "react";

import { ApiError, withQuery } from "@/api/client";
import type { Package, PackageInspection, PackageUpload, PackageVersion } from "@/api/types";
import { Button } from "@/components/Button";
import { DialogActions } from "@/components/Dialog";
import { CheckboxField, TextField } from "@/components/Field";
import { ErrorNotice, Notice } from "@/components/Notice";
import { formatBytes, plural } from "@/format/numbers";
import { FindingRows } from "../FindingRows";
import { countFindings } from "../findings";
import { likelyEntries } from "./likelyEntries";
import { Progress } from "./Progress";
import { sendFile } from "./sendFile";

/** What the file holds, and under which name and with which playbooks it is taken. */
export function InspectedForm({
  file,
  inspected,
  of,
  onOther,
  onClose,
}: {
  file: File;
  inspected: PackageInspection;
  /** The package that it is a new version of; a new one otherwise. */
  of: Package | undefined;
  onOther: () => void;
  onClose: () => void;
}) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const candidates = inspected.entry_points;
  const [name, setName] = useState(of?.name ?? inspected.suggested_name);
  const [comment, setComment] = useState("");
  // What is saved while this is open is not replaced unseen.
  const [base] = useState(of?.current_version?.id);
  const [entries, setEntries] = useState<ReadonlySet<string>>(
    () =>
      new Set(
        likelyEntries(
          candidates.map((entry) => entry.path),
          of?.entry_points ?? [],
        ),
      ),
  );
  const [missing, setMissing] = useState<{ name?: string; entry?: string }>({});
  const [share, setShare] = useState(0);
  const giveUp = useRef<AbortController>(null);
  useEffect(
    () => () => {
      giveUp.current?.abort();
    },
    [],
  );
  const upload = useMutation({
    mutationFn: (replaced: string | undefined) => {
      giveUp.current = new AbortController();
      setShare(0);
      const path = withQuery("/api/packages", {
        name: name.trim(),
        file_name: file.name,
        comment: comment.trim(),
        entry: [...entries],
        base_version_id: replaced,
      });
      return sendFile<PackageUpload>(path, file, { signal: giveUp.current.signal, onProgress: setShare });
    },
    onSuccess: async ({ package: uploaded, findings }) => {
      await client.invalidateQueries({ queryKey: ["playbooks"] });
      await client.invalidateQueries({ queryKey: ["packages"] });
      const [entry] = uploaded.entry_points;
      const grave = findings.some((finding) => finding.severity !== "note");
      if (entry !== undefined)
        await navigate({
          to: "/playbooks/$",
          params: { _splat: `custom/${uploaded.name}/${entry}` },
          search: grave ? { tab: "findings" } : {},
        });
      onClose();
    },
  });
  const refused = upload.error instanceof ApiError ? upload.error : null;
  const taken =
    refused?.code === "package_exists" || refused?.code === "version_conflict"
      ? (refused.body.current as PackageVersion | undefined)
      : undefined;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const found = {
      ...(name.trim() === "" && { name: "Give the package a name." }),
      ...(entries.size === 0 && candidates.length > 0 && { entry: "Choose at least one playbook." }),
    };
    setMissing(found);
    if (Object.keys(found).length === 0) upload.mutate(base);
  };
  const total = inspected.files.reduce((sum, entry) => sum + entry.size, 0);
  const entryError = missing.entry ?? refused?.field("entry");
  if (upload.isPending)
    return (
      <>
        <Progress share={share} then="Taking it into the library…" />
        <DialogActions>
          <Button
            onClick={() => {
              giveUp.current?.abort();
            }}
          >
            Give up
          </Button>
        </DialogActions>
      </>
    );
  return (
    <form onSubmit={submit} noValidate className="space-y-5">
      {upload.isError && taken === undefined && upload.error.name !== "AbortError" && (
        <ErrorNotice title="Not uploaded" error={upload.error} />
      )}
      {taken !== undefined && (
        <Notice
          tone="warning"
          title={
            of === undefined
              ? `${name.trim()} is there already`
              : `Somebody saved version ${taken.number} in between`
          }
          action={
            <Button
              small
              onClick={() => {
                upload.mutate(taken.id);
              }}
            >
              Upload as version {taken.number + 1}
            </Button>
          }
        >
          It is at version {taken.number}, by {taken.author_name}. Upload this as its next version
          {of === undefined && ", or choose another name"}.
        </Notice>
      )}
      <div className="grid gap-4 sm:grid-cols-2">
        {of === undefined && (
          <TextField
            label="Name"
            required
            autoCapitalize="none"
            spellCheck={false}
            hint="Of the package; its playbooks are found under it."
            error={missing.name ?? refused?.field("name")}
            value={name}
            onChange={(event) => {
              setName(event.target.value);
              upload.reset();
            }}
          />
        )}
        <TextField
          label="Comment"
          optional
          hint="What is in it, or what changed."
          error={refused?.field("comment")}
          value={comment}
          onChange={(event) => {
            setComment(event.target.value);
          }}
        />
      </div>
      <fieldset>
        <legend className="mb-1.5 text-sm font-medium">Playbooks</legend>
        {candidates.length === 0 ? (
          <Notice tone="error">
            No file in it is a playbook: a list of plays, each with <code>hosts</code>.
          </Notice>
        ) : (
          <ul className="border-line divide-line max-h-56 divide-y overflow-y-auto rounded-md border">
            {candidates.map(({ path, outline }) => (
              <li key={path} className="px-3 py-2">
                <CheckboxField
                  label={path}
                  hint={outline.error ?? outline.description ?? outline.name}
                  checked={entries.has(path)}
                  onChange={(on) => {
                    const next = new Set(entries);
                    if (on) next.add(path);
                    else next.delete(path);
                    setEntries(next);
                    setMissing({});
                  }}
                />
              </li>
            ))}
          </ul>
        )}
        {entryError !== undefined && (
          <p role="alert" className="text-failed mt-1 text-xs">
            {entryError}
          </p>
        )}
        {candidates.length > 1 && (
          <p className="text-faint mt-1 text-xs">
            Choose those that people launch; the others stay files of the package.
          </p>
        )}
      </fieldset>
      <details>
        <summary className="cursor-pointer text-sm font-medium">
          {plural(inspected.files.length, "file")}, {formatBytes(total)}
        </summary>
        <ul
          aria-label="Files"
          tabIndex={0}
          className="bg-sunken mt-1.5 max-h-48 overflow-y-auto rounded-md px-3 py-2 font-mono text-xs leading-5"
        >
          {inspected.files.map((entry) => (
            <li key={entry.path} className="flex justify-between gap-4">
              <span className="min-w-0 break-all">{entry.path}</span>
              <span className="text-faint whitespace-nowrap">{formatBytes(entry.size)}</span>
            </li>
          ))}
        </ul>
      </details>
      {inspected.findings.length > 0 ? (
        <section aria-label="Findings">
          <h3 className="text-sm font-medium">
            Worth reading before it runs: {countFindings(inspected.findings)}
          </h3>
          <div className="max-h-56 overflow-y-auto" tabIndex={0}>
            <FindingRows findings={inspected.findings} />
          </div>
        </section>
      ) : (
        <p className="text-soft text-sm">Nothing stood out in it.</p>
      )}
      <DialogActions>
        <Button onClick={onOther}>Other file</Button>
        <Button onClick={onClose}>Cancel</Button>
        <Button type="submit" variant="primary" icon="upload" disabled={candidates.length === 0}>
          Upload
        </Button>
      </DialogActions>
    </form>
  );
}
