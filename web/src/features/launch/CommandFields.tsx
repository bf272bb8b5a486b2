import { useId } from "react";

import { TextAreaField, TextField } from "@/components/Field";
import type { StepProps } from "./LaunchWizard";

const MODULES = [
  "ping",
  "command",
  "shell",
  "setup",
  "service",
  "package",
  "copy",
  "file",
  "user",
  "reboot",
  "stat",
];

/** One module with its arguments, instead of a playbook. */
export function CommandFields({
  form,
  change,
  errorOf,
}: StepProps & { errorOf: (field: string) => string | undefined }) {
  const list = useId();
  const free = form.module === "command" || form.module === "shell";
  return (
    <>
      <TextField
        label="Module"
        mono
        autoFocus
        autoCapitalize="none"
        autoComplete="off"
        spellCheck={false}
        list={list}
        hint="Any module that Ansible finds, such as ping, shell or service."
        error={errorOf("command.module") ?? errorOf("command")}
        value={form.module}
        onChange={(event) => {
          change({ module: event.target.value });
        }}
      />
      <datalist id={list}>
        {MODULES.map((module) => (
          <option key={module} value={module} />
        ))}
      </datalist>
      <TextAreaField
        label="Arguments"
        mono
        optional={!free}
        rows={2}
        spellCheck={false}
        hint={
          free ? (
            "The command line that runs on every server."
          ) : (
            <>
              As <code>ansible -a</code> takes them: <code>name=nginx state=restarted</code>
            </>
          )
        }
        error={errorOf("command.arguments")}
        value={form.moduleArguments}
        onChange={(event) => {
          change({ moduleArguments: event.target.value });
        }}
      />
    </>
  );
}
