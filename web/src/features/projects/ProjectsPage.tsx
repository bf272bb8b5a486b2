import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";

import { projectsQuery } from "@/api/playbookQueries";
import type { Project } from "@/api/types";
import { Button, ButtonLink } from "@/components/Button";
import { Commit } from "@/components/Commit";
import { EmptyState, ErrorNotice, Loading } from "@/components/Notice";
import { Cell, HeadCell, PageHeader, TableFrame } from "@/components/Page";
import { Time } from "@/components/Time";
import { useTitle } from "@/components/useTitle";
import { usePermissions } from "@/features/session/usePermissions";
import { plural } from "@/format/numbers";
import { ProjectDialog } from "./ProjectDialog";
import { ProjectPanel } from "./ProjectPanel";
import { ProjectStatus } from "./ProjectStatus";
import { SyncButton } from "./SyncButton";

const route = getRouteApi("/app/projects");

export function ProjectsPage() {
  useTitle("Projects");
  const { add: adding, project: opened } = route.useSearch();
  const navigate = route.useNavigate();
  const { operate } = usePermissions();
  const projects = useQuery(projectsQuery);
  const open = (search: { add?: boolean; project?: string }) => void navigate({ search });
  const add = operate && (
    <Button
      variant="primary"
      icon="plus"
      onClick={() => {
        open({ add: true });
      }}
    >
      Add project
    </Button>
  );
  const all = projects.data ?? [];
  const shown = all.find((project) => project.id === opened);
  return (
    <>
      <PageHeader
        title="Projects"
        detail={projects.data && `${plural(all.length, "git repository", "git repositories")} with playbooks`}
        actions={
          <>
            <ButtonLink to="/playbooks" variant="quiet">
              Playbooks
            </ButtonLink>
            {add}
          </>
        }
      />
      <div className="panel overflow-hidden">
        {projects.isPending && <Loading what="projects" />}
        {projects.isError && (
          <ErrorNotice
            className="m-3"
            title="The projects could not be read"
            error={projects.error}
            onRetry={() => void projects.refetch()}
          />
        )}
        {projects.data &&
          (all.length === 0 ? (
            <EmptyState icon="branch" title="No projects yet" action={add}>
              Add a git repository with playbooks: Admiral keeps up with it and takes every commit as a
              version.
            </EmptyState>
          ) : (
            <ProjectsTable
              projects={all}
              operate={operate}
              onOpen={(id) => {
                open({ project: id });
              }}
            />
          ))}
      </div>
      {adding === true && operate && (
        <ProjectDialog
          onClose={() => {
            open({});
          }}
          onSaved={(project) => {
            open({ project: project.id });
          }}
        />
      )}
      {shown !== undefined && (
        <ProjectPanel
          project={shown}
          onClose={() => {
            open({});
          }}
        />
      )}
    </>
  );
}

function ProjectsTable({
  projects,
  operate,
  onOpen,
}: {
  projects: readonly Project[];
  operate: boolean;
  onOpen: (id: string) => void;
}) {
  return (
    <TableFrame label="Projects">
      <thead>
        <tr>
          <HeadCell>Name</HeadCell>
          <HeadCell>Repository</HeadCell>
          <HeadCell>Status</HeadCell>
          <HeadCell>Last sync</HeadCell>
          <HeadCell>Commit</HeadCell>
          <HeadCell>
            <span className="sr-only">Actions</span>
          </HeadCell>
        </tr>
      </thead>
      <tbody>
        {projects.map((project) => (
          <tr key={project.id} className="hover:bg-hover">
            <Cell className="font-medium">
              <button
                type="button"
                className="text-left hover:underline"
                onClick={() => {
                  onOpen(project.id);
                }}
              >
                {project.name}
              </button>
            </Cell>
            <Cell className="max-w-80 font-mono text-xs break-all">
              {project.url}
              {project.reference !== "" && <span className="text-faint block">{project.reference}</span>}
            </Cell>
            <Cell className="max-w-96">
              <ProjectStatus project={project} />
            </Cell>
            <Cell className="text-soft">
              {project.synced_at === null ? "never" : <Time value={project.synced_at} />}
            </Cell>
            <Cell>
              {project.commit_id === null ? (
                <span className="text-faint">–</span>
              ) : (
                <Commit id={project.commit_id} />
              )}
            </Cell>
            <Cell className="text-right whitespace-nowrap">
              <span className="inline-flex gap-1.5">
                <Link
                  to="/playbooks"
                  search={{ origin: "project", search: project.name }}
                  className="link px-2 py-1 text-sm"
                >
                  Playbooks
                </Link>
                {operate && <SyncButton project={project} small />}
              </span>
            </Cell>
          </tr>
        ))}
      </tbody>
    </TableFrame>
  );
}
