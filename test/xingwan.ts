/** The invented city of docs/mapping.md, put together from the blocks of that page as its reader would. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json }

const page = readFileSync(join(import.meta.dirname, '../docs/mapping.md'), 'utf8')

/** The contents of the fenced blocks whose first line is exactly this. */
function blocks(head: string): string[] {
  return [...page.matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)].flatMap(([, found, body = '']) =>
    found === head ? [body] : [],
  )
}

const isObject = (value: Json | undefined): value is { readonly [name: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Objects are put into each other; everything else takes the place of what was there. */
function merge(under: Json | undefined, over: Json): Json {
  if (!isObject(under) || !isObject(over)) return over
  const merged = { ...under }
  for (const [name, value] of Object.entries(over)) merged[name] = merge(merged[name], value)
  return merged
}

const parsed = (text: string): Json => JSON.parse(text)
const example = blocks('json').map(parsed).reduce(merge)

/** Its mapping, with something changed. */
export function xingwanMapping(change: Json = {}): string {
  return JSON.stringify(merge(example, change))
}

export const xingwanRows = blocks('csv').join('')

/** The texts that the page shows, in its order: a trial, a part of the report, and one for each mistake. */
export const [shownTrial = '', shownReport = '', ...shownMistakes] = blocks('text')

export const mistakes = blocks('json mistake').map(parsed)
