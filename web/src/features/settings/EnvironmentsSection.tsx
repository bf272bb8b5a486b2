import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { api } from "@/api/client";
import { environmentsQuery } from "@/api/playbookQueries";
import type { Environment } from "@/api/types";
import { IconButton } from "@/components/Button";
import { ConfirmDialog } from "@/components/Dialog";
import { Cell, HeadCell, TableFrame } from "@/components/Page";
import { Time } from "@/components/Time";
import { VariableNames } from "@/features/variables/VariableNames";
import { VariableSetDialog } from "@/features/variables/VariableSetDialog";
import { ListSection } from "./ListSection";

type Open = { act: "add" } | { act: "edit" | "delete"; environment: Environment };

/** Variables that hold wherever their environment is chosen at launch. */
export function EnvironmentsSection({ mayChange }: { mayChange: boolean }) {
  const client = useQueryClient();
  const environments = useQuery(environmentsQuery);
  const [open, setOpen] = useState<Open | null>(null);
  const close = () => {
    setOpen(null);
  };
  const renew = () => client.invalidateQueries({ queryKey: ["environments"] });
  return (
    <>
      <ListSection
        title="Environments"
        about="Variables of production, staging and the like, chosen at launch. They override a form's defaults; a preset and what is given at launch override them."
        what="environments"
        query={environments}
        icon="settings"
        empty="Add one to keep its variables in one place."
        add={mayChange ? "Add environment" : undefined}
        onAdd={() => {
          setOpen({ act: "add" });
        }}
      >
        {(all) => (
          <TableFrame label="Environments">
            <thead>
              <tr>
                <HeadCell>Name</HeadCell>
                <HeadCell>Variables</HeadCell>
                <HeadCell>Changed</HeadCell>
                <HeadCell>
                  <span className="sr-only">Actions</span>
                </HeadCell>
              </tr>
            </thead>
            <tbody>
              {all.map((environment) => (
                <tr key={environment.id} className="hover:bg-hover">
                  <Cell className="align-top!">
                    <span className="font-medium">{environment.name}</span>
                    {environment.description !== null && (
                      <span className="text-soft block text-xs">{environment.description}</span>
                    )}
                  </Cell>
                  <Cell className="align-top!">
                    <VariableNames set={environment} />
                  </Cell>
                  <Cell className="text-soft align-top!">
                    <Time value={environment.updated_at} />
                  </Cell>
                  <Cell className="align-top! text-right whitespace-nowrap">
                    {mayChange && (
                      <>
                        <IconButton
                          icon="edit"
                          label={`Edit ${environment.name}`}
                          onClick={() => {
                            setOpen({ act: "edit", environment });
                          }}
                        />
                        <IconButton
                          icon="trash"
                          label={`Delete ${environment.name}`}
                          onClick={() => {
                            setOpen({ act: "delete", environment });
                          }}
                        />
                      </>
                    )}
                  </Cell>
                </tr>
              ))}
            </tbody>
          </TableFrame>
        )}
      </ListSection>
      {open?.act === "add" && (
        <VariableSetDialog
          title="Add environment"
          action="Add environment"
          onClose={close}
          onSave={async (request) => {
            await api.post<Environment>("/api/environments", request);
            await renew();
          }}
        />
      )}
      {open?.act === "edit" && (
        <VariableSetDialog
          title={`Edit ${open.environment.name}`}
          action="Save"
          before={open.environment}
          onClose={close}
          onSave={async (request) => {
            await api.patch<Environment>(`/api/environments/${open.environment.id}`, request);
            await renew();
          }}
        />
      )}
      {open?.act === "delete" && (
        <ConfirmDialog
          title={`Delete the environment ${open.environment.name}?`}
          action="Delete environment"
          onClose={close}
          onConfirm={async () => {
            await api.delete(`/api/environments/${open.environment.id}`);
            await renew();
          }}
        >
          <p>
            Deployments that were launched with it keep their variables. Its secrets cannot be brought back.
          </p>
        </ConfirmDialog>
      )}
    </>
  );
}
