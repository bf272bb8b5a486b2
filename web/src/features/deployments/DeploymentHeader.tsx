import { useMutation } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { Fragment, useState } from "react";

import { api } from "@/api/client";
import { isEnded } from "@/api/stream";
import type { Deployment, HostStatus } from "@/api/types";
import { Button, ButtonLink } from "@/components/Button";
import { ConfirmDialog } from "@/components/Dialog";
import { ErrorNotice } from "@/components/Notice";
import { Duration, Time } from "@/components/Time";
import { usePermissions } from "@/features/session/usePermissions";
import { plural } from "@/format/numbers";
import { HostBar, HostLegend } from "./HostBar";
import { sliceCount } from "./slices";
import { shellWords } from "./shellWords";
import { reasonInWords, retryableHosts } from "./status";
import { StatusLabel } from "./StatusLabel";

const route = getRouteApi("/app/deployments/$id");

interface Props {
  deployment: Deployment;
  onChanged: (deployment: Deployment) => void;
}

export function DeploymentHeader({ deployment, onChanged }: Props) {
  const { status: chosen = [] } = route.useSearch();
  const navigate = route.useNavigate();
  const toggle = (status: HostStatus) => {
    const next = chosen.includes(status) ? chosen.filter((other) => other !== status) : [...chosen, status];
    void navigate({
      search: (old) => ({ ...old, tab: undefined, status: next.length === 0 ? undefined : next }),
      replace: true,
    });
  };
  const reason = reasonInWords(deployment);
  // Then the reason in words already says all of the message.
  const counted =
    deployment.reason === "hosts_failed" ||
    deployment.reason === "hosts_unreachable" ||
    deployment.message === reason;
  return (
    <header className="mb-4">
      <div className="flex flex-wrap items-start justify-between gap-x-4 gap-y-3">
        <div className="min-w-0">
          <h1 className="text-xl font-semibold tracking-tight break-words">
            <span className="text-faint font-normal">#{deployment.number}</span> {deployment.name}
          </h1>
          <p className="text-soft text-sm">
            <What deployment={deployment} />
            {deployment.options.check === true && " · check mode"}
            {sliceCount(deployment) > 1 && ` · ${sliceCount(deployment)} slices`}
            {deployment.options.accelerator === "mitogen" && " · with mitogen"}
            {(deployment.options.priority ?? 0) !== 0 && ` · priority ${deployment.options.priority}`} · by{" "}
            {deployment.created_by.username}, <Time value={deployment.created_at} />
          </p>
          {deployment.description !== null && deployment.description !== "" && (
            <p className="text-soft mt-1 max-w-prose text-sm whitespace-pre-line">{deployment.description}</p>
          )}
        </div>
        <Actions deployment={deployment} onChanged={onChanged} />
      </div>
      <div className="panel mt-3 p-4">
        <div className="mb-2.5 flex flex-wrap items-baseline justify-between gap-x-4 gap-y-1">
          <p className="min-w-0 break-words" aria-live="polite">
            <StatusLabel status={deployment.status} className="text-base" />
            {reason !== null && <span className="text-soft">: {reason}</span>}
            {deployment.status === "pending" && deployment.waiting_for.length > 0 && (
              <span className="text-soft">
                : <WaitingFor others={deployment.waiting_for} />
              </span>
            )}
            {!isEnded(deployment) && deployment.cancel_requested_at !== null && (
              <span className="text-cancelled"> · cancel requested, ending what runs</span>
            )}
          </p>
          <p className="text-soft text-sm">
            {plural(deployment.counts.total, "host")}
            {deployment.counts.changed > 0 && (
              <span className="text-changed"> · {deployment.counts.changed} changed</span>
            )}
            {deployment.started_at !== null && (
              <>
                {" · "}
                <Duration started={deployment.started_at} finished={deployment.finished_at} />
              </>
            )}
          </p>
        </div>
        <HostBar counts={deployment.counts} className="h-3" />
        <div className="mt-2.5">
          <HostLegend counts={deployment.counts} chosen={chosen} onToggle={toggle} />
        </div>
        {deployment.message !== null && !counted && (
          <p className="text-soft mt-2.5 text-sm break-words whitespace-pre-line">{deployment.message}</p>
        )}
      </div>
    </header>
  );
}

/** `waiting for #12 Ping and #13 Facts`, each a link. */
function WaitingFor({ others }: { others: Deployment["waiting_for"] }) {
  return (
    <>
      waiting for{" "}
      {others.map((other, index) => (
        <Fragment key={other.id}>
          {index > 0 && (index === others.length - 1 ? " and " : ", ")}
          <Link to="/deployments/$id" params={{ id: String(other.number) }} className="link">
            #{other.number} {other.name}
          </Link>
        </Fragment>
      ))}
      , at work on the same servers
    </>
  );
}

function Actions({ deployment, onChanged }: Props) {
  const { operate } = usePermissions();
  const navigate = useNavigate();
  const [asking, setAsking] = useState(false);
  const retry = useMutation({
    mutationFn: () => api.post<Deployment>(`/api/deployments/${deployment.id}/retry`, {}),
    onSuccess: (fresh) => navigate({ to: "/deployments/$id", params: { id: String(fresh.number) } }),
  });
  if (!operate) return null;
  const ended = isEnded(deployment);
  const again = retryableHosts(deployment.counts);
  const force = deployment.cancel_requested_at !== null;
  const from = String(deployment.number);
  // What ran in a shell cannot be run again from here: its files and inventory are on that machine.
  const recorded = deployment.kind === "recorded" ? "It ran in a shell; run it again there" : undefined;
  return (
    <div className="flex max-w-full flex-col items-end gap-2 max-sm:items-start">
      <div className="flex flex-wrap gap-2">
        {!ended && (
          <Button
            variant="danger"
            icon="stop"
            onClick={() => {
              setAsking(true);
            }}
          >
            {force ? "Force cancel" : "Cancel deployment"}
          </Button>
        )}
        {ended && again > 0 && (
          <Button
            variant="primary"
            icon="retry"
            busy={retry.isPending}
            disabled={recorded !== undefined}
            title={
              recorded ?? "Same parameters, only the hosts that failed, were unreachable, or did not finish"
            }
            onClick={() => {
              retry.mutate();
            }}
          >
            Retry {plural(again, "host")}
          </Button>
        )}
        {recorded !== undefined ? (
          <Button disabled title={recorded}>
            Relaunch
          </Button>
        ) : (
          <>
            {ended && <RelaunchLinks deployment={deployment} from={from} />}
            <ButtonLink to="/deployments/new" search={{ from }}>
              Duplicate
            </ButtonLink>
          </>
        )}
      </div>
      {retry.isError && <ErrorNotice title="Not retried" error={retry.error} />}
      {asking && (
        <ConfirmDialog
          title={`${force ? "Force cancel" : "Cancel"} deployment #${deployment.number} ${deployment.name}?`}
          action={force ? "Force cancel" : "Cancel deployment"}
          keep="Keep running"
          onClose={() => {
            setAsking(false);
          }}
          onConfirm={async () => {
            onChanged(
              await api.post<Deployment>(
                `/api/deployments/${deployment.id}/cancel`,
                force ? { force: true } : {},
              ),
            );
          }}
        >
          <p>
            {force
              ? "The run's processes are killed at once, without waiting for running tasks."
              : "No new task starts, and the run is asked to end. Hosts that are not done are marked cancelled."}
          </p>
          <p>A command that is already executing on a remote host cannot be stopped by this.</p>
        </ConfirmDialog>
      )}
    </div>
  );
}

/** With what is today's; and with the version that it ran, where that is another one. */
function RelaunchLinks({ deployment, from }: { deployment: Deployment; from: string }) {
  const { version } = deployment;
  if (version === null || version.differs_from_current == null)
    return (
      <ButtonLink to="/deployments/new" search={{ from, step: "review" }}>
        Relaunch
      </ButtonLink>
    );
  return (
    <>
      <ButtonLink to="/deployments/new" search={{ from, step: "review", version: version.number }}>
        Run again with this version
      </ButtonLink>
      <ButtonLink to="/deployments/new" search={{ from, step: "review" }}>
        …with today's
      </ButtonLink>
    </>
  );
}

function What({ deployment }: { deployment: Deployment }) {
  const { kind, command, version, playbook } = deployment;
  if (kind === "adhoc" && command?.kind === "module")
    return (
      <code className="text-xs break-all">
        {command.module} {command.arguments}
      </code>
    );
  if (kind === "recorded" && command?.kind === "shell")
    return (
      <>
        <code className="text-xs break-all">{shellWords(command.words)}</code> · recorded on {command.machine}
      </>
    );
  return (
    <>
      <Link to="/playbooks/$" params={{ _splat: playbook }} className="link">
        <code className="text-xs">{playbook}</code>
      </Link>
      {version !== null && ` · version ${version.number}`}
    </>
  );
}
