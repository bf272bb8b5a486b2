/** Names for the schemas of the API's OpenAPI document; `generated.ts` is made from that. */
import type { components } from "./generated";

type Schemas = components["schemas"];
/** A schema that the API answers with: it leaves no field out, an empty one is null. */
type Answer<Name extends keyof Schemas> = Required<Schemas[Name]>;

export type FieldError = Schemas["FieldError"];
export type Problem = Schemas["Problem"];
export type PageMeta = Schemas["PageMeta"];

export interface Page<T> {
  data: T[];
  meta: PageMeta;
}

export type Role = Schemas["Role"];
export type User = Answer<"User">;
export type Session = Answer<"Session">;
export type SetupState = Answer<"SetupState">;
export type SignInLink = Answer<"SignInLink">;
export type ApiToken = Answer<"ApiToken">;
export type UserSession = Answer<"UserSession">;
export type EndedSessions = Answer<"EndedSessions">;
export type PasswordChanged = Answer<"PasswordChanged">;
export type CreatedApiToken = { api_token: ApiToken } & Schemas["CreatedToken"];

export type Settings = Answer<"Settings">;
export type Worker = Answer<"Worker">;

export type ServerStatus = Schemas["ServerStatus"];
export type Server = Answer<"Server">;
export type CreateServer = Schemas["CreateServer"];
export type ServerTag = Answer<"ServerTag">;
export type ImportServers = Schemas["ImportServers"];
export type ImportReport = Answer<"ImportReport">;
export type PrivateKey = Answer<"PrivateKey">;

export type Playbook = Answer<"Playbook">;

export type Accelerator = Schemas["Accelerator"];
export type Run = Answer<"Run">;
export type DeploymentOptions = Schemas["DeploymentOptions"];
export type CreateDeployment = Schemas["CreateDeployment"];
export type DeploymentStatus = Schemas["DeploymentStatus"];
export type DeploymentReason = Schemas["Reason"];
export type HostCounts = Schemas["HostCounts"];
export type Deployment = Answer<"Deployment">;
export type HostStatus = Schemas["HostStatus"];
export type DeploymentServer = Answer<"DeploymentServer">;
export type DeploymentEvent = Answer<"DeploymentEvent">;
export type EventPage = Omit<Answer<"EventList">, "data"> & { data: DeploymentEvent[] };
export type OutputPage = Answer<"OutputList">;

export type Health = Answer<"Health">;

export type PackageVersion = Answer<"PackageVersion">;
export type Package = Omit<Answer<"Package">, "current_version"> & { current_version: PackageVersion | null };
export type PackageFile = Answer<"PackageFile">;
export type PackageFileContent = Answer<"PackageFileContent">;
export type ChangedFile = Schemas["ChangedFile"];
export type FileDiff = Answer<"FileDiff">;
export type VersionDiff = Omit<Answer<"VersionDiff">, "files"> & { files: FileDiff[] };
export type Outline = Schemas["Outline"];
export type VariableSource = Schemas["VariableSource"];

export type Severity = Schemas["Severity"];
export type Finding = Answer<"Finding">;
export type VersionFindings = Omit<Answer<"VersionFindings">, "data"> & { data: Finding[] };
export type PackageInspection = Omit<Answer<"PackageInspection">, "findings"> & { findings: Finding[] };
export interface PackageUpload {
  package: Package;
  version: PackageVersion;
  findings: Finding[];
}

export type FormField = Answer<"FormField">;
export interface Form {
  fields: FormField[];
}
export interface ParsedForm {
  form: Form | null;
  errors: Finding[];
}
export type PlaybookForm = ParsedForm & Pick<Answer<"PlaybookForm">, "source" | "path" | "yaml">;
export type Preset = Answer<"Preset">;
export type Environment = Answer<"Environment">;
export type FileAnswer = Schemas["FileAnswer"];
export type PreviewedVariable = Answer<"PreviewedVariable">;
export type DeploymentPreview = Omit<Answer<"DeploymentPreview">, "variables" | "findings" | "version"> & {
  variables: PreviewedVariable[];
  findings: Finding[];
  version: PackageVersion;
};

export type WebhookKind = Schemas["WebhookKind"];
export type Project = Answer<"Project">;

export type VaultPassword = Answer<"VaultPassword">;
export type GalaxyServer = Answer<"GalaxyServer">;
