import { useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useState } from "react";

import { api } from "@/api/client";
import { keysQuery } from "@/api/queries";
import type { PrivateKey } from "@/api/types";
import { Button, IconButton } from "@/components/Button";
import { CopyButton } from "@/components/Copy";
import { ConfirmDialog } from "@/components/Dialog";
import { EmptyState, ErrorNotice, Loading } from "@/components/Notice";
import { Cell, HeadCell, PageHeader, Pager, TableFrame } from "@/components/Page";
import { SearchBox } from "@/components/SearchBox";
import { Time } from "@/components/Time";
import { useTitle } from "@/components/useTitle";
import { usePermissions } from "@/features/session/usePermissions";
import { plural } from "@/format/numbers";
import { AddKeyDialog } from "./AddKeyDialog";
import { GenerateKeyDialog } from "./GenerateKeyDialog";
import { RenameKeyDialog } from "./RenameKeyDialog";

const route = getRouteApi("/app/keys");
const PER_PAGE = 50;

type Open = { act: "add" | "generate" } | { act: "rename" | "delete"; key: PrivateKey };

export function KeysPage() {
  useTitle("Keys");
  const { search, page = 1 } = route.useSearch();
  const navigate = route.useNavigate();
  const client = useQueryClient();
  const { operate } = usePermissions();
  const keys = useQuery(keysQuery({ search, page, per_page: PER_PAGE }));
  const [open, setOpen] = useState<Open | null>(null);
  const close = () => {
    setOpen(null);
  };
  const actions = operate && (
    <>
      <Button
        icon="plus"
        onClick={() => {
          setOpen({ act: "add" });
        }}
      >
        Add key
      </Button>
      <Button
        variant="primary"
        icon="keys"
        onClick={() => {
          setOpen({ act: "generate" });
        }}
      >
        Generate key
      </Button>
    </>
  );
  return (
    <>
      <PageHeader
        title="Keys"
        detail="Private keys stay encrypted here and are never shown again."
        actions={actions}
      />
      <div className="panel overflow-hidden">
        <div className="border-line border-b p-3">
          <SearchBox
            label="Search keys"
            value={search ?? ""}
            onChange={(text) => void navigate({ search: { search: text || undefined }, replace: true })}
            className="sm:max-w-xs"
          />
        </div>
        {keys.isPending && <Loading what="keys" />}
        {keys.isError && (
          <ErrorNotice
            className="m-3"
            title="The keys could not be read"
            error={keys.error}
            onRetry={() => void keys.refetch()}
          />
        )}
        {keys.data &&
          (keys.data.data.length > 0 ? (
            <>
              <KeysTable keys={keys.data.data} operate={operate} onOpen={setOpen} />
              <Pager
                meta={keys.data.meta}
                onPage={(next) => void navigate({ search: { search, page: next > 1 ? next : undefined } })}
              />
            </>
          ) : search !== undefined ? (
            <EmptyState icon="search" title="No key matches">
              Search looks at names and fingerprints.
            </EmptyState>
          ) : (
            <EmptyState icon="keys" title="No keys yet" action={actions}>
              Generate a key and put its public part on your servers, or add a private key they already
              accept.
            </EmptyState>
          ))}
      </div>
      {open?.act === "add" && <AddKeyDialog onClose={close} />}
      {open?.act === "generate" && <GenerateKeyDialog onClose={close} />}
      {open?.act === "rename" && <RenameKeyDialog privateKey={open.key} onClose={close} />}
      {open?.act === "delete" && (
        <ConfirmDialog
          title={`Delete the key ${open.key.name}?`}
          action="Delete key"
          onClose={close}
          onConfirm={async () => {
            await api.delete(`/api/keys/${open.key.id}`);
            await client.invalidateQueries({ queryKey: ["keys"] });
          }}
        >
          {open.key.servers > 0 ? (
            <p>
              {plural(open.key.servers, "server uses", "servers use")} it, so it cannot be deleted yet: give
              them another key first.
            </p>
          ) : (
            <p>No server uses it. The private part cannot be brought back.</p>
          )}
          <p className="font-mono text-xs break-all">{open.key.fingerprint}</p>
        </ConfirmDialog>
      )}
    </>
  );
}

function KeysTable({
  keys,
  operate,
  onOpen,
}: {
  keys: readonly PrivateKey[];
  operate: boolean;
  onOpen: (open: Open) => void;
}) {
  return (
    <TableFrame label="Keys">
      <thead>
        <tr>
          <HeadCell>Name</HeadCell>
          <HeadCell>Type</HeadCell>
          <HeadCell>Fingerprint</HeadCell>
          <HeadCell>Public key</HeadCell>
          <HeadCell className="text-right">Used by</HeadCell>
          <HeadCell>Added</HeadCell>
          {operate && (
            <HeadCell>
              <span className="sr-only">Actions</span>
            </HeadCell>
          )}
        </tr>
      </thead>
      <tbody>
        {keys.map((key) => (
          <tr key={key.id} className="hover:bg-hover">
            <Cell className="font-medium">{key.name}</Cell>
            <Cell className="whitespace-nowrap">
              {key.key_type}
              {key.bits !== null && <span className="text-faint"> {key.bits}</span>}
              {key.has_passphrase && <span className="text-faint block text-xs">with passphrase</span>}
            </Cell>
            <Cell className="font-mono text-xs">{key.fingerprint}</Cell>
            <Cell>
              <CopyButton text={key.public_key} what={`public key ${key.name}`} />
            </Cell>
            <Cell className="text-right whitespace-nowrap">{plural(key.servers, "server")}</Cell>
            <Cell className="text-soft">
              <Time value={key.created_at} />
            </Cell>
            {operate && (
              <Cell className="text-right whitespace-nowrap">
                <IconButton
                  icon="edit"
                  label={`Rename ${key.name}`}
                  onClick={() => {
                    onOpen({ act: "rename", key });
                  }}
                />
                <IconButton
                  icon="trash"
                  label={`Delete ${key.name}`}
                  onClick={() => {
                    onOpen({ act: "delete", key });
                  }}
                />
              </Cell>
            )}
          </tr>
        ))}
      </tbody>
    </TableFrame>
  );
}
