/** What is wrong with the configuration is said all at once: which file, where in it, what, and what to do. */
import type { z } from 'zod'
import { readJson } from './json.ts'

/** One fault. `path` is a JSON path inside the file, such as `tables.CF.fields.fine`; empty for the file as a whole. */
export type Fault = {
  readonly file: string
  readonly path: string
  readonly problem: string
  readonly remedy: string
}

/** A configuration file as it was read from disk; `file` is the name that faults give. */
export type ConfigFile = { readonly file: string; readonly text: string }

/** Thrown once, with every fault that was found. Its message lists them, a line each, for an operator. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError'
  readonly faults: readonly Fault[]
  constructor(faults: readonly Fault[]) {
    super(faults.map(described).join('\n'))
    this.faults = faults
  }
}

function described({ file, path, problem, remedy }: Fault): string {
  return `${file}${path === '' ? '' : ` at ${path}`}: ${problem}. ${remedy}.`
}

/**
 * Parses a file and checks its form. Gives the value, or undefined after adding what is wrong to `faults`, so that a
 * caller can go on to the next file and report everything at once.
 */
export function readForm<T>({ file, text }: ConfigFile, form: z.ZodType<T>, faults: Fault[]): T | undefined {
  let json: unknown
  try {
    json = readJson(text)
  } catch (error) {
    const problem = error instanceof Error ? error.message : 'it cannot be parsed'
    faults.push({ file, path: '', problem: `not JSON: ${problem}`, remedy: 'Correct the syntax' })
    return undefined
  }
  const result = form.safeParse(json)
  if (result.success) return result.data
  for (const issue of result.error.issues.flatMap(issue => closest(issue, []))) {
    faults.push({ file, path: jsonPath(issue.path), problem: issue.message, remedy: remedyFor(issue) })
  }
  return undefined
}

/** Where several forms are possible, what is wrong with the one that comes closest says more than that none fits. */
function closest(issue: z.core.$ZodIssue, above: readonly PropertyKey[]): z.core.$ZodIssue[] {
  const path = [...above, ...issue.path]
  if (issue.code !== 'invalid_union') return [{ ...issue, path }]
  const [best] = issue.errors.filter(branch => branch.length > 0).sort((a, b) => a.length - b.length)
  return best === undefined ? [{ ...issue, path }] : best.flatMap(inner => closest(inner, path))
}

/** A path as people write it: `codes[3].fields.name`; a member whose name is no plain word stands in quotes. */
export function jsonPath(steps: readonly PropertyKey[]): string {
  let path = ''
  for (const step of steps) {
    if (typeof step === 'number') path += `[${step}]`
    else if (/^[A-Za-z_][\w-]*$/.test(String(step))) path += path === '' ? String(step) : `.${String(step)}`
    else path += `[${JSON.stringify(String(step))}]`
  }
  return path
}

function remedyFor(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'unrecognized_keys':
      return 'Correct the spelling, or remove it'
    case 'invalid_key':
      return 'Correct the name: letters, digits, and the few signs that names have'
    case 'invalid_type':
      return `Give a value of type ${issue.expected}`
    case 'invalid_value':
      return `Use one of ${issue.values.map(value => JSON.stringify(value)).join(', ')}`
    case 'invalid_union':
      return 'Use one of the documented forms (docs/mapping.md)'
    default:
      return 'Correct the value'
  }
}
