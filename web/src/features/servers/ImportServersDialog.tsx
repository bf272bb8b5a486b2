import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";

import { api, ApiError } from "@/api/client";
import { allKeysQuery } from "@/api/queries";
import type { ImportReport, ImportServers } from "@/api/types";
import { Button } from "@/components/Button";
import { Dialog, DialogActions } from "@/components/Dialog";
import { SelectField, TextAreaField, TextField } from "@/components/Field";
import { ErrorNotice, Notice } from "@/components/Notice";
import { Cell, HeadCell, TableFrame } from "@/components/Page";
import { plural } from "@/format/numbers";
import { countReport, hasNews, readInventory, sortReport } from "./inventory";

/** More rows than this are counted, not shown. */
const MAX_ROWS = 500;

/** Takes over servers from an inventory of Ansible: says first what would become of each. */
export function ImportServersDialog({ onClose }: { onClose: () => void }) {
  const client = useQueryClient();
  const keys = useQuery(allKeysQuery);
  const [text, setText] = useState("");
  const [username, setUsername] = useState("root");
  const [keyId, setKeyId] = useState("");
  const [refusal, setRefusal] = useState<string>();
  const preview = useMutation({
    mutationFn: (request: ImportServers) =>
      api.post<ImportReport>("/api/servers/import", { ...request, dry_run: true }),
  });
  const run = useMutation({
    mutationFn: (request: ImportServers) => api.post<ImportReport>("/api/servers/import", request),
    onSuccess: () => client.invalidateQueries({ queryKey: ["servers"] }),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const read = readInventory(text);
    setRefusal("error" in read ? read.error : undefined);
    if ("error" in read) return;
    preview.mutate({
      inventory: read.inventory,
      default_username: username.trim() || "root",
      default_private_key_id: keyId === "" ? null : keyId,
    });
  };
  const refused = preview.error instanceof ApiError ? preview.error : null;
  if (run.data !== undefined)
    return (
      <Dialog title="The inventory is imported" shape="wide" onClose={onClose}>
        <Report report={run.data} />
        <DialogActions>
          <Button variant="primary" onClick={onClose}>
            Done
          </Button>
        </DialogActions>
      </Dialog>
    );
  if (preview.data !== undefined) {
    const nothing = !hasNews(preview.data);
    return (
      <Dialog
        title="What the import does"
        description="Nothing is changed yet."
        shape="wide"
        onClose={onClose}
      >
        {run.isError && <ErrorNotice className="mb-3" title="Not imported" error={run.error} />}
        <Report report={preview.data} />
        <DialogActions>
          <Button
            onClick={() => {
              preview.reset();
              run.reset();
            }}
          >
            Back
          </Button>
          <Button
            variant="primary"
            busy={run.isPending}
            disabled={nothing}
            title={nothing ? "No server would be created or changed" : undefined}
            onClick={() => {
              run.mutate(preview.variables);
            }}
          >
            Import
          </Button>
        </DialogActions>
      </Dialog>
    );
  }
  return (
    <Dialog
      title="Import servers"
      description={
        <>
          From what <code>ansible-inventory -i INVENTORY --list</code> prints: hosts become servers, groups
          become tags, variables stay with their host.
        </>
      }
      shape="wide"
      onClose={onClose}
    >
      <form onSubmit={submit} noValidate className="space-y-4">
        {preview.isError && <ErrorNotice title="It cannot be imported" error={preview.error} />}
        <input
          type="file"
          aria-label="File"
          accept=".json,application/json"
          className="control file:bg-sunken file:text-ink file:mr-3 file:rounded file:border-0 file:px-2 file:py-0.5"
          onChange={(event) => {
            setRefusal(undefined);
            event.target.files?.[0]?.text().then(setText, () => {
              setRefusal("The file could not be read.");
            });
          }}
        />
        <TextAreaField
          label="Inventory"
          required
          mono
          rows={8}
          spellCheck={false}
          error={refusal ?? refused?.field("inventory")}
          value={text}
          onChange={(event) => {
            setText(event.target.value);
          }}
        />
        <div className="grid gap-4 sm:grid-cols-2">
          <TextField
            label="SSH user"
            hint="Of hosts that name none."
            autoCapitalize="none"
            spellCheck={false}
            error={refused?.field("default_username")}
            value={username}
            onChange={(event) => {
              setUsername(event.target.value);
            }}
          />
          <SelectField
            label="Private key"
            optional
            hint="Of hosts that name none. A key that is named by its path is not at hand here: give it to the server afterwards."
            error={refused?.field("default_private_key_id")}
            value={keyId}
            onChange={(event) => {
              setKeyId(event.target.value);
            }}
          >
            <option value="">No key</option>
            {keys.data?.map((key) => (
              <option key={key.id} value={key.id}>
                {key.name} ({key.key_type})
              </option>
            ))}
          </SelectField>
        </div>
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" variant="primary" busy={preview.isPending}>
            Preview
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}

const LOOKS = {
  skipped: "text-unreachable",
  changed: "text-changed",
  created: "text-success",
  unchanged: "text-faint",
};

function Report({ report: { servers } }: { report: ImportReport }) {
  if (servers.length === 0) return <Notice tone="warning">The inventory has no hosts.</Notice>;
  return (
    <>
      <p role="status" className="mb-2 text-sm font-medium">
        {plural(servers.length, "server")}: {countReport(servers)}
      </p>
      <div className="max-h-96 overflow-y-auto" tabIndex={0}>
        <TableFrame label="Import">
          <thead>
            <tr>
              <HeadCell>Hostname</HeadCell>
              <HeadCell>Result</HeadCell>
              <HeadCell>Changes</HeadCell>
              <HeadCell>Notes</HeadCell>
            </tr>
          </thead>
          <tbody>
            {sortReport(servers)
              .slice(0, MAX_ROWS)
              .map((server) => (
                <tr key={server.hostname}>
                  <Cell className="font-medium break-all">{server.hostname}</Cell>
                  <Cell className={LOOKS[server.action]}>{server.action}</Cell>
                  <Cell className="text-soft text-xs">{server.changes.join(", ")}</Cell>
                  <Cell className="text-soft text-xs">{server.notes.join("; ")}</Cell>
                </tr>
              ))}
          </tbody>
        </TableFrame>
      </div>
      {servers.length > MAX_ROWS && (
        <p className="text-soft mt-2 text-sm">And {plural(servers.length - MAX_ROWS, "more server")}.</p>
      )}
    </>
  );
}
