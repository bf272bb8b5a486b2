import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";

import { api, ApiError } from "@/api/client";
import type { Deployment, DeploymentPreview, FieldError } from "@/api/types";
import { Button } from "@/components/Button";
import { Icon } from "@/components/Icon";
import { ErrorNotice } from "@/components/Notice";
import { useLeaveGuard } from "@/components/useLeaveGuard";
import { usePermissions } from "@/features/session/usePermissions";
import { acknowledgement } from "./acknowledgement";
import { ConfigurationStep } from "./ConfigurationStep";
import { answerErrors } from "./given";
import {
  checkLaunch,
  firstStepWithError,
  isFilledIn,
  requestOfLaunch,
  settleAnswers,
  stepOfField,
  STEPS,
  type LaunchForm,
  type Step,
} from "./launchForm";
import { ReviewStep } from "./ReviewStep";
import { ServersStep } from "./ServersStep";
import { useLaunchContext, type LaunchContext } from "./useLaunchContext";

const route = getRouteApi("/app/deployments/new");
/** What others change (variables of an environment, servers) shows in the review so soon. */
const PREVIEW_EVERY_MS = 10_000;
const NAMES: Record<Step, string> = { configuration: "Configuration", servers: "Servers", review: "Review" };

export interface StepProps {
  form: LaunchForm;
  change: (changes: Partial<LaunchForm>) => void;
  errors: readonly FieldError[];
  context: LaunchContext;
}

export function LaunchWizard({ initial: start }: { initial: LaunchForm }) {
  const { step = "configuration" } = route.useSearch();
  const stay = route.useNavigate();
  const navigate = useNavigate();
  const client = useQueryClient();
  const { operate } = usePermissions();
  const [initial] = useState(start);
  const [form, setForm] = useState(initial);
  const [errors, setErrors] = useState<readonly FieldError[]>([]);
  /** The version whose findings were read. */
  const [readVersion, setReadVersion] = useState<string | null>(null);
  const at = STEPS.indexOf(step);
  const context = useLaunchContext(form);
  const { definition, given, hidden } = context;
  useEffect(() => {
    const fields = definition?.form?.fields.map((field) => field.name);
    if (fields !== undefined) setForm((old) => settleAnswers(old, fields));
  }, [definition]);
  const request = requestOfLaunch(form, hidden);
  const preview = useQuery({
    queryKey: ["preview", request],
    queryFn: ({ signal }) => api.post<DeploymentPreview>("/api/deployments/preview", request, { signal }),
    enabled: step === "review",
    refetchInterval: PREVIEW_EVERY_MS,
    staleTime: 0,
    gcTime: 0,
    retry: false,
  });
  const guard = useLeaveGuard(
    isFilledIn(form, initial),
    "Leave without deploying?",
    <p className="text-soft text-sm">What you filled in is not kept and would be lost.</p>,
  );
  const accepted = acknowledgement(preview.data, readVersion);

  const goTo = (target: Step) =>
    void stay({ search: (old) => ({ ...old, step: target === "configuration" ? undefined : target }) });
  const launch = useMutation({
    mutationFn: () => api.post<Deployment>("/api/deployments", { ...request, ...accepted }),
    onSuccess: async (deployment) => {
      void client.invalidateQueries({ queryKey: ["deployments", "list"] });
      void client.invalidateQueries({ queryKey: ["playbooks"] });
      await navigate({
        to: "/deployments/$id",
        params: { id: String(deployment.number) },
        ignoreBlocker: true,
      });
    },
    onError: (error) => {
      if (!(error instanceof ApiError)) return;
      // A version was made since, whose findings nobody has accepted: they are shown.
      if (error.code === "review_required") void preview.refetch();
      if (error.fields.length === 0) return;
      setErrors(error.fields);
      goTo(firstStepWithError(error.fields) ?? "review");
    },
  });

  const change = (changes: Partial<LaunchForm>) => {
    setForm({ ...form, ...changes });
    setErrors([]);
    setReadVersion(null);
    if (launch.isError) launch.reset();
  };
  const check = () => [
    ...checkLaunch(form),
    ...(form.kind === "playbook" ? answerErrors(definition, given) : []),
  ];
  /** Goes on only over steps that have no mistake. */
  const advance = (target: Step) => {
    const until = STEPS.indexOf(target);
    const found = check().filter((error) => STEPS.indexOf(stepOfField(error.field)) < until);
    setErrors(found);
    goTo(firstStepWithError(found) ?? target);
  };
  const deploy = () => {
    const found = check();
    setErrors(found);
    const wrong = firstStepWithError(found);
    if (wrong === null) launch.mutate();
    else goTo(wrong);
  };

  // Whoever is sent back to a mistake lands on its field.
  const fields = useRef<HTMLFormElement>(null);
  useEffect(() => {
    if (errors.length > 0) fields.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus();
  }, [errors, step]);

  const next = STEPS[at + 1];
  const previous = STEPS[at - 1];
  const props: StepProps = { form, change, errors, context };
  return (
    <>
      <nav aria-label="Steps" className="mb-4">
        <ol className="flex flex-wrap gap-1">
          {STEPS.map((name, index) => {
            const wrong = errors.some((error) => stepOfField(error.field) === name);
            return (
              <li key={name} className="flex items-center gap-1">
                {index > 0 && <Icon name="chevronRight" className="text-faint size-3.5" />}
                <button
                  type="button"
                  aria-current={name === step ? "step" : undefined}
                  onClick={() => {
                    advance(name);
                  }}
                  className={`flex items-center gap-2 rounded-md px-2 py-1 text-sm font-medium ${name === step ? "text-ink" : "text-faint hover:text-ink"}`}
                >
                  <span
                    className={`flex size-5 items-center justify-center rounded-full text-xs ${name === step ? "bg-accent-strong text-white" : index < at ? "bg-accent-tint text-accent" : "bg-sunken"}`}
                  >
                    {wrong ? "!" : index < at ? <Icon name="check" className="size-3" /> : index + 1}
                  </span>
                  {NAMES[name]}
                </button>
              </li>
            );
          })}
        </ol>
      </nav>
      {launch.isError && <ErrorNotice className="mb-4" title="Not deployed" error={launch.error} />}
      <form
        ref={fields}
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          if (next !== undefined) advance(next);
        }}
      >
        <div className="panel p-5">
          {step === "configuration" && <ConfigurationStep {...props} />}
          {step === "servers" && <ServersStep {...props} />}
          {step === "review" && (
            <ReviewStep
              form={form}
              request={request}
              context={context}
              preview={preview}
              acknowledged={accepted !== null}
              onAcknowledge={(on) => {
                setReadVersion(on ? (preview.data?.version.id ?? null) : null);
              }}
              onEdit={goTo}
            />
          )}
        </div>
        <div className="mt-4 flex justify-between gap-2">
          <div>
            {previous !== undefined && (
              <Button
                onClick={() => {
                  goTo(previous);
                }}
              >
                Back
              </Button>
            )}
          </div>
          {next !== undefined ? (
            <Button key="next" type="submit" variant="primary">
              Next
            </Button>
          ) : (
            <Button
              key="deploy"
              variant="primary"
              icon="deployments"
              busy={launch.isPending}
              disabled={!operate || accepted === null}
              title={
                !operate
                  ? "Your role cannot launch deployments"
                  : accepted === null
                    ? "Read the findings and accept them first"
                    : undefined
              }
              onClick={deploy}
            >
              Deploy
            </Button>
          )}
        </div>
      </form>
      {guard}
    </>
  );
}
