import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { yaml } from "@codemirror/lang-yaml";
import { bracketMatching, foldGutter, foldKeymap, indentOnInput, indentUnit } from "@codemirror/language";
import { lintGutter, setDiagnostics } from "@codemirror/lint";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { EditorState, type Extension } from "@codemirror/state";
import {
  EditorView,
  highlightActiveLine,
  highlightActiveLineGutter,
  keymap,
  lineNumbers,
} from "@codemirror/view";
import { useEffect, useRef } from "react";

import { Notice } from "@/components/Notice";
import { spanOf, type Remark } from "./diagnostics";
import { lineEnding } from "./lineEndings";
import { theme } from "./theme";

export interface CodeEditorProps {
  label: string;
  /** The text at first. Another text that `onChange` did not tell replaces what is shown. */
  value: string;
  /** YAML is coloured; everything else is plain. */
  language: "yaml" | "text";
  /** Left out: the text can only be read. */
  onChange?: ((text: string) => void) | undefined;
  remarks?: readonly Remark[];
  /** Goes to this line, from 1. */
  line?: number | undefined;
}

/**
 * CodeMirror, for reading and for editing. Load it lazily: `LazyEditor`. The text keeps its line endings; CodeMirror itself
 * knows only lines, so a text whose endings differ can be read and not edited.
 */
export default function CodeEditor({ label, value, language, onChange, remarks, line }: CodeEditorProps) {
  const box = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView>(null);
  const mixed = lineEnding(value) === null;
  const tell = mixed ? undefined : onChange;
  const told = useRef(tell);
  const first = useRef(value);
  const ending = useRef("\n");
  useEffect(() => {
    told.current = tell;
  });
  const readOnly = tell === undefined;
  useEffect(() => {
    if (box.current === null) return;
    ending.current = lineEnding(first.current) ?? "\n";
    const editor = new EditorView({
      parent: box.current,
      state: EditorState.create({
        doc: first.current,
        extensions: [
          ...reading(label, language),
          ...(readOnly ? [EditorState.readOnly.of(true)] : writing),
          EditorView.updateListener.of((update) => {
            if (!update.docChanged) return;
            first.current = update.state.doc.sliceString(0, undefined, ending.current);
            told.current?.(first.current);
          }),
        ],
      }),
    });
    view.current = editor;
    return () => {
      editor.destroy();
      view.current = null;
    };
  }, [label, language, readOnly]);

  useEffect(() => {
    const editor = view.current;
    if (editor === null || value === first.current) return;
    first.current = value;
    ending.current = lineEnding(value) ?? "\n";
    editor.dispatch({ changes: { from: 0, to: editor.state.doc.length, insert: value } });
  }, [value]);

  useEffect(() => {
    const editor = view.current;
    if (editor === null) return;
    const { doc } = editor.state;
    const diagnostics = (remarks ?? []).map((remark) => ({
      ...spanOf(remark, doc),
      severity: remark.severity === "note" ? ("info" as const) : remark.severity,
      message: remark.message,
    }));
    editor.dispatch(setDiagnostics(editor.state, diagnostics));
  }, [remarks, label, language, readOnly]);

  useEffect(() => {
    const editor = view.current;
    if (editor === null || line === undefined || line < 1 || line > editor.state.doc.lines) return;
    const { from } = editor.state.doc.line(line);
    editor.dispatch({
      selection: { anchor: from },
      effects: EditorView.scrollIntoView(from, { y: "center" }),
    });
  }, [line, label]);

  return (
    <div className="flex h-full min-h-0 flex-col">
      {mixed && onChange !== undefined && (
        <Notice tone="warning" className="m-2">
          Its lines end in different ways (LF, CRLF or CR), and saving from here would change them all. Make
          them the same elsewhere, and upload a new version.
        </Notice>
      )}
      <div ref={box} className="min-h-0 flex-1 overflow-hidden" />
    </div>
  );
}

function reading(label: string, language: "yaml" | "text"): Extension[] {
  return [
    lineNumbers(),
    foldGutter(),
    lintGutter(),
    highlightActiveLine(),
    highlightActiveLineGutter(),
    highlightSelectionMatches(),
    search({ top: true }),
    bracketMatching(),
    theme,
    keymap.of([...searchKeymap, ...foldKeymap]),
    EditorView.contentAttributes.of({ "aria-label": label }),
    ...(language === "yaml" ? [yaml()] : []),
  ];
}

/** Tab indents; after Escape it leaves the editor. */
const writing: Extension[] = [
  history(),
  indentOnInput(),
  indentUnit.of("  "),
  EditorView.lineWrapping,
  keymap.of([...defaultKeymap, ...historyKeymap, indentWithTab]),
];
