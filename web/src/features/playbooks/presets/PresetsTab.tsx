import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { api } from "@/api/client";
import { presetsQuery } from "@/api/playbookQueries";
import type { Preset } from "@/api/types";
import { Button, ButtonLink, IconButton } from "@/components/Button";
import { ConfirmDialog } from "@/components/Dialog";
import { EmptyState, ErrorNotice, Loading } from "@/components/Notice";
import { Cell, HeadCell, TableFrame } from "@/components/Page";
import { Time } from "@/components/Time";
import { VariableNames } from "@/features/variables/VariableNames";
import { VariableSetDialog } from "@/features/variables/VariableSetDialog";
import type { TabProps } from "../PlaybookPage";
import { optionsInWords } from "./optionsInWords";

type Open = { act: "add" } | { act: "edit" | "delete"; preset: Preset };

export function PresetsTab({ playbook, operate }: TabProps) {
  const client = useQueryClient();
  const presets = useQuery(presetsQuery(playbook.id));
  const [open, setOpen] = useState<Open | null>(null);
  const close = () => {
    setOpen(null);
  };
  const renew = () => client.invalidateQueries({ queryKey: ["presets"] });
  const add = operate && (
    <Button
      icon="plus"
      onClick={() => {
        setOpen({ act: "add" });
      }}
    >
      Add preset
    </Button>
  );
  if (presets.isPending) return <Loading what="the presets" />;
  if (presets.isLoadingError)
    return (
      <ErrorNotice
        title="The presets could not be read"
        error={presets.error}
        onRetry={() => void presets.refetch()}
      />
    );
  return (
    <>
      {presets.data.data.length === 0 ? (
        <EmptyState icon="playbooks" title="No presets yet" action={add}>
          Keep variables and options for this playbook under a name, and choose them at launch.
        </EmptyState>
      ) : (
        <>
          <div className="mb-2 flex justify-end">{add}</div>
          <TableFrame label="Presets">
            <thead>
              <tr>
                <HeadCell>Name</HeadCell>
                <HeadCell>Variables</HeadCell>
                <HeadCell>Options</HeadCell>
                <HeadCell>By</HeadCell>
                <HeadCell>Changed</HeadCell>
                <HeadCell>
                  <span className="sr-only">Actions</span>
                </HeadCell>
              </tr>
            </thead>
            <tbody>
              {presets.data.data.map((preset) => (
                <tr key={preset.id} className="hover:bg-hover">
                  <Cell className="align-top!">
                    <span className="font-medium">{preset.name}</span>
                    {preset.description !== null && (
                      <span className="text-soft block text-xs">{preset.description}</span>
                    )}
                  </Cell>
                  <Cell className="align-top!">
                    <VariableNames set={preset} />
                  </Cell>
                  <Cell className="text-soft align-top! text-xs">{optionsInWords(preset.options)}</Cell>
                  <Cell className="align-top! whitespace-nowrap">{preset.created_by_name}</Cell>
                  <Cell className="text-soft align-top!">
                    <Time value={preset.updated_at} />
                  </Cell>
                  <Cell className="align-top! text-right whitespace-nowrap">
                    {operate && (
                      <>
                        <ButtonLink
                          small
                          to="/deployments/new"
                          search={{ playbook: playbook.id, preset: preset.id }}
                        >
                          Launch<span className="sr-only"> with {preset.name}</span>
                        </ButtonLink>
                        <IconButton
                          icon="edit"
                          label={`Edit ${preset.name}`}
                          onClick={() => {
                            setOpen({ act: "edit", preset });
                          }}
                        />
                        <IconButton
                          icon="trash"
                          label={`Delete ${preset.name}`}
                          onClick={() => {
                            setOpen({ act: "delete", preset });
                          }}
                        />
                      </>
                    )}
                  </Cell>
                </tr>
              ))}
            </tbody>
          </TableFrame>
        </>
      )}
      {open?.act === "add" && (
        <VariableSetDialog
          title="Add preset"
          action="Add preset"
          playbook={playbook.id}
          onClose={close}
          onSave={async (request) => {
            await api.post<Preset>("/api/presets", { playbook: playbook.id, ...request });
            await renew();
          }}
        />
      )}
      {open?.act === "edit" && (
        <VariableSetDialog
          title={`Edit ${open.preset.name}`}
          action="Save"
          before={open.preset}
          playbook={playbook.id}
          onClose={close}
          onSave={async (request) => {
            await api.patch<Preset>(`/api/presets/${open.preset.id}`, request);
            await renew();
          }}
        />
      )}
      {open?.act === "delete" && (
        <ConfirmDialog
          title={`Delete the preset ${open.preset.name}?`}
          action="Delete preset"
          onClose={close}
          onConfirm={async () => {
            await api.delete(`/api/presets/${open.preset.id}`);
            await renew();
          }}
        >
          <p>Deployments that were launched with it keep their variables.</p>
        </ConfirmDialog>
      )}
    </>
  );
}
