import * as RadixCheckbox from "@radix-ui/react-checkbox";
import {
  useId,
  type InputHTMLAttributes,
  type ReactNode,
  type SelectHTMLAttributes,
  type TextareaHTMLAttributes,
} from "react";

import { Icon } from "./Icon";

interface FieldLook {
  label: string;
  hint?: ReactNode;
  error?: string | undefined;
  className?: string;
}

interface FieldIds {
  id: string;
  "aria-describedby": string | undefined;
  "aria-invalid": boolean | undefined;
}

/** A label, its control, and what is said about it. */
export function Field({
  label,
  hint,
  error,
  className = "",
  optional,
  children,
}: FieldLook & { optional: boolean; children: (ids: FieldIds) => ReactNode }) {
  const id = useId();
  return (
    <div className={className}>
      <div className="mb-1 flex items-baseline justify-between gap-2">
        <label htmlFor={id} className="text-sm font-medium">
          {label}
        </label>
        {optional && <span className="text-faint text-xs">optional</span>}
      </div>
      {children({
        id,
        "aria-describedby": describedBy(id, error, hint),
        "aria-invalid": error !== undefined || undefined,
      })}
      <FieldMessage id={id} error={error} hint={hint} />
    </div>
  );
}

/** The id of the message of a field, where it has one. */
export function describedBy(id: string, error: string | undefined, hint: ReactNode): string | undefined {
  return error !== undefined ? `${id}-error` : hint !== undefined ? `${id}-hint` : undefined;
}

/** What is wrong with a field, or else what helps to fill it in. */
export function FieldMessage({
  id,
  error,
  hint,
}: {
  id: string;
  error: string | undefined;
  hint: ReactNode;
}) {
  if (error !== undefined)
    return (
      <p id={`${id}-error`} className="text-failed mt-1 flex items-start gap-1 text-xs">
        <Icon name="warning" className="mt-px size-3.5" />
        {error}
      </p>
    );
  return (
    hint !== undefined && (
      <p id={`${id}-hint`} className="text-faint mt-1 text-xs">
        {hint}
      </p>
    )
  );
}

interface Optional {
  /** Says beside the label that the field may stay empty. */
  optional?: boolean;
}

export function TextField({
  label,
  hint,
  error,
  className,
  optional = false,
  mono = false,
  ...rest
}: FieldLook & Optional & { mono?: boolean } & InputHTMLAttributes<HTMLInputElement>) {
  return (
    <Field {...{ label, hint, error, optional }} {...(className !== undefined && { className })}>
      {(ids) => <input {...rest} {...ids} className={`control ${mono ? "font-mono" : ""}`} />}
    </Field>
  );
}

export function TextAreaField({
  label,
  hint,
  error,
  className,
  optional = false,
  mono = false,
  ...rest
}: FieldLook & Optional & { mono?: boolean } & TextareaHTMLAttributes<HTMLTextAreaElement>) {
  return (
    <Field {...{ label, hint, error, optional }} {...(className !== undefined && { className })}>
      {(ids) => <textarea {...rest} {...ids} className={`control ${mono ? "font-mono text-xs" : ""}`} />}
    </Field>
  );
}

export function SelectField({
  label,
  hint,
  error,
  className,
  optional = false,
  children,
  ...rest
}: FieldLook & Optional & SelectHTMLAttributes<HTMLSelectElement>) {
  return (
    <Field {...{ label, hint, error, optional }} {...(className !== undefined && { className })}>
      {(ids) => (
        <select {...rest} {...ids} className="control">
          {children}
        </select>
      )}
    </Field>
  );
}

export function Checkbox({
  checked,
  onChange,
  label,
  id,
}: {
  checked: boolean | "indeterminate";
  onChange: (checked: boolean) => void;
  /** The accessible name, where no visible label points here. */
  label?: string;
  id?: string;
}) {
  return (
    <RadixCheckbox.Root
      checked={checked}
      onCheckedChange={(value) => {
        onChange(value === true);
      }}
      aria-label={label}
      id={id}
      className="border-edge bg-surface data-[state=checked]:bg-accent-strong data-[state=checked]:border-accent-strong data-[state=indeterminate]:bg-accent-strong data-[state=indeterminate]:border-accent-strong flex size-4 shrink-0 items-center justify-center rounded border text-white"
    >
      <RadixCheckbox.Indicator>
        <Icon name={checked === "indeterminate" ? "dash" : "check"} className="size-3" />
      </RadixCheckbox.Indicator>
    </RadixCheckbox.Root>
  );
}

export function CheckboxField({
  label,
  hint,
  checked,
  onChange,
}: {
  label: string;
  hint?: ReactNode;
  checked: boolean;
  onChange: (checked: boolean) => void;
}) {
  const id = useId();
  return (
    <div className="flex items-start gap-2">
      <span className="mt-0.5 flex">
        <Checkbox id={id} checked={checked} onChange={onChange} />
      </span>
      <label htmlFor={id} className="text-sm">
        <span className="font-medium">{label}</span>
        {hint !== undefined && <span className="text-faint block text-xs">{hint}</span>}
      </label>
    </div>
  );
}
