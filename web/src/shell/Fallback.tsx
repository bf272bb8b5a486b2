import type { ErrorComponentProps } from "@tanstack/react-router";

import { ButtonLink } from "@/components/Button";
import { EmptyState, ErrorNotice } from "@/components/Notice";

export function NotFound() {
  return (
    <EmptyState
      icon="search"
      title="There is no such page"
      action={
        <ButtonLink to="/deployments" variant="primary">
          Go to deployments
        </ButtonLink>
      }
    >
      The address may be mistyped, or what it pointed to was removed.
    </EmptyState>
  );
}

export function PageError({ error, reset }: ErrorComponentProps) {
  return (
    <div className="mx-auto max-w-xl p-6">
      <ErrorNotice title="This page failed" error={error} onRetry={reset} />
    </div>
  );
}
