import type { ParameterOperation, SyntaxNode, TestExpression, Word } from "unbash";
import { steeringVariable } from "./command-wrappers.ts";
import type { ShellWord } from "./shell-word.ts";

const plainName = /^[A-Za-z_][A-Za-z0-9_]*$/;
const plainIndex = /^(?:\d+|[@*])$/;
const plainNumber = /^-?\d+$/;

const calculates = "it calculates with what may be more than numbers";

/**
 * Where Bash evaluates text again that stands there as text: subscripts, arithmetic, indirection and prompts run the substitutions in
 * the values that they meet, `test -v 'a[$(rm x)]'` and `${x@P}` among them. Null: nothing of this node is evaluated a second time.
 */
export function hiddenEvaluation(node: SyntaxNode): string | null {
  switch (node.type) {
    case "ArithmeticCommand":
    case "ArithmeticFor":
      return calculates;
    case "ArithmeticExpansion":
      return /^\$\(\([\d\s+\-*/%()<>=!&|^~?:,]*\)\)$/.test(node.text) ? null : calculates;
    case "ParameterExpansion":
      if (node.prefix === "!") return "it takes the name of a variable from another";
      if (node.index !== undefined && !plainIndex.test(node.index.text)) return calculates;
      return operationFault(node.parameter, node.operation);
    case "Assignment":
      return node.index === undefined || plainIndex.test(node.index.text) ? null : calculates;
    case "ArrayValue":
      return node.elements.some(({ text }) => text.startsWith("[") && !/^\[\d+\]=/.test(text)) ? calculates : null;
    case "For":
    case "Select":
      return steers(node.name.text);
    case "TestCommand":
      return testFault(node.expression);
    default:
      return null;
  }
}

function operationFault(parameter: string, operation: ParameterOperation | undefined): string | null {
  switch (operation?.type) {
    case undefined:
    case "Remove":
    case "Replace":
    case "CaseModification":
      return null;
    case "Default":
      return operation.operator.endsWith("=") ? steers(parameter) : null;
    case "Slice":
      return [operation.offset, operation.length].every((part) => part === undefined || plainNumber.test(part.text.trim()))
        ? null
        : calculates;
    default:
      return "it evaluates the value of a variable";
  }
}

function testFault(expression: TestExpression): string | null {
  switch (expression.type) {
    case "TestUnary":
      return /^-[vR]$/.test(expression.operator) && !plainName.test(expression.operand.text) ? calculates : null;
    case "TestBinary":
      return /^-(?:eq|ne|lt|le|gt|ge)$/.test(expression.operator) && ![expression.left, expression.right].every(isNumber)
        ? calculates
        : null;
    case "TestLogical":
      return expression.operands.map(testFault).find((fault) => fault !== null) ?? null;
    case "TestNot":
      return testFault(expression.operand);
    case "TestGroup":
      return testFault(expression.expression);
  }
}

function isNumber({ text }: Word): boolean {
  // Those that the shell itself counts are numbers.
  return plainNumber.test(text) || /^\$[#?$!]$/.test(text);
}

function steers(name: string): string | null {
  return steeringVariable.test(name) ? `it sets ${name}, which steers other programs` : null;
}

/** Builtins that take names of variables, and evaluate a subscript in them. */
const namers: ReadonlySet<string> = new Set(["read", "unset", "wait", "getopts", "declare", "typeset", "local", "export", "readonly"]);

/** The same of what a builtin is given. */
export function hiddenInWords(program: string, words: readonly ShellWord[]): string | null {
  if (program === "let") return calculates;
  const flags = words.filter(({ text }) => /^[-+][A-Za-z]/.test(text)).map(({ text }) => text);
  if (/^(?:declare|typeset|local)$/.test(program) && flags.some((flag) => /[in]/.test(flag))) return calculates;
  const names = namesIn(program, words);
  if (names.some(({ exact, text }) => !exact || !plainName.test(text.split(/\+?=/)[0] ?? "")))
    return `which variable ${program} means is only known when it runs`;
  return names.map(({ text }) => steers(text.split(/\+?=/)[0] ?? "")).find((fault) => fault !== null) ?? null;
}

function namesIn(program: string, words: readonly ShellWord[]): readonly ShellWord[] {
  const after = (option: RegExp) => words.filter((_word, index) => option.test(words[index - 1]?.text ?? ""));
  if (program === "test" || program === "[") return after(/^-[vR]$/);
  if (program === "printf")
    return [
      ...after(/^-v$/),
      ...words
        .slice(0, 1)
        .flatMap((word) => (word.text.startsWith("-v") && word.text !== "-v" ? [{ ...word, text: word.text.slice(2) }] : [])),
    ];
  if (program === "wait") return words.some(({ text }) => /^-[a-z]*p/.test(text)) ? words.filter(({ text }) => !text.startsWith("-")) : [];
  // `getopts` takes the options first, `export -f` and the like take none.
  const operands = words.filter(({ text }) => !text.startsWith("-"));
  return namers.has(program) ? operands.slice(program === "getopts" ? 1 : 0) : [];
}
