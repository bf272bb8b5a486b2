import type { ReactNode } from "react";

import { ApiError } from "@/api/client";
import { Button } from "./Button";
import { Icon, type IconName } from "./Icon";

type Tone = "error" | "warning" | "info" | "success";

const TONES: Record<Tone, { look: string; icon: IconName }> = {
  error: { look: "border-failed/50 bg-failed/7 text-failed", icon: "warning" },
  warning: { look: "border-unreachable/50 bg-unreachable/7 text-unreachable", icon: "warning" },
  info: { look: "border-running/40 bg-running/7 text-running", icon: "info" },
  success: { look: "border-success/40 bg-success/7 text-success", icon: "check" },
};

export function Notice({
  tone,
  title,
  children,
  action,
  className = "",
}: {
  tone: Tone;
  title?: string;
  children?: ReactNode;
  action?: ReactNode;
  className?: string;
}) {
  const { look, icon } = TONES[tone];
  return (
    <div
      role={tone === "error" ? "alert" : "status"}
      className={`flex items-start gap-2 rounded-md border px-3 py-2 text-sm ${look} ${className}`}
    >
      <Icon name={icon} className="mt-0.5 size-4" />
      <div className="min-w-0 flex-1 break-words">
        {title !== undefined && <p className="font-semibold">{title}</p>}
        {children !== undefined && <div className="text-ink">{children}</div>}
      </div>
      {action}
    </div>
  );
}

const NEXT_STEPS: Record<string, string> = {
  forbidden: "Your role does not allow this. Ask an administrator.",
  too_many_requests: "Wait a minute, then try again.",
  unavailable: "The database may be restarting. Try again in a moment.",
  internal: "Try again. If it happens again, give the request id to whoever runs this Admiral.",
  origin_mismatch: "Open the console under the address this Admiral is configured for.",
};

/** What happened, and what to try. */
export function ErrorNotice({
  error,
  title,
  onRetry,
  className,
}: {
  error: unknown;
  title?: string;
  onRetry?: () => void;
  className?: string;
}) {
  const known = error instanceof ApiError ? error : null;
  const message = error instanceof Error ? error.message : "Something went wrong in this page.";
  const next = known === null ? undefined : NEXT_STEPS[known.code];
  return (
    <Notice
      tone="error"
      {...(title !== undefined && { title })}
      {...(className !== undefined && { className })}
      action={
        onRetry && (
          <Button small icon="retry" onClick={onRetry}>
            Try again
          </Button>
        )
      }
    >
      <p>{message}</p>
      {known !== null && known.fields.length > 0 && (
        <ul className="mt-1 list-disc pl-4">
          {known.fields.map((field) => (
            <li key={`${field.field} ${field.message}`}>
              <span className="font-mono text-xs">{field.field}</span>: {field.message}
            </li>
          ))}
        </ul>
      )}
      {next !== undefined && <p className="text-soft mt-0.5">{next}</p>}
      {known?.code === "internal" && known.requestId !== null && (
        <p className="text-faint mt-0.5 font-mono text-xs">request {known.requestId}</p>
      )}
    </Notice>
  );
}

export function EmptyState({
  icon,
  title,
  children,
  action,
}: {
  icon: IconName;
  title: string;
  children: ReactNode;
  action?: ReactNode;
}) {
  return (
    <div className="flex flex-col items-center px-6 py-14 text-center">
      <span className="bg-sunken text-faint mb-3 flex size-11 items-center justify-center rounded-full">
        <Icon name={icon} className="size-5" />
      </span>
      <h2 className="text-base font-semibold">{title}</h2>
      <p className="text-soft mt-1 max-w-md text-sm">{children}</p>
      {action !== undefined && <div className="mt-4 flex flex-wrap justify-center gap-2">{action}</div>}
    </div>
  );
}

export function Loading({ what }: { what: string }) {
  return (
    <p role="status" className="text-faint flex items-center justify-center gap-2 px-4 py-12 text-sm">
      <Icon name="spinner" className="spin size-4" />
      Loading {what}…
    </p>
  );
}
