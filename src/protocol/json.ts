/** A JSON text says one thing to every reader, or it is refused: whoever signed it, and whoever wrote it into a file. */
import { refuse } from './refusal.ts'

const DEPTH = 12

/**
 * Parses a JSON object that says one thing only: no member twice, none named `__proto__` (which some readers, a schema
 * library among them, pass over), depth at most 12, well-formed strings. The engine judges the grammar (RFC 8259); a count
 * of members in the text against members in the value finds the duplicate that the engine silently drops.
 * Throws `form.json`, `form.duplicate`.
 */
export function readJson(text: string): Readonly<Record<string, unknown>> {
  const members = countMembers(text)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw refuse('form.json', 'grammar', error)
  }
  if (!isObject(value)) throw refuse('form.json', 'not an object')
  if (countKept(value) !== members) throw refuse('form.duplicate')
  return value
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const QUOTE = 34
const BACKSLASH = 92

/** Colons outside strings: in a text that parses, one for each member. Refuses nesting before the parser sees it. */
function countMembers(text: string): number {
  let members = 0
  let depth = 0
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (c === QUOTE) {
      for (i++; i < text.length && text.charCodeAt(i) !== QUOTE; i++) if (text.charCodeAt(i) === BACKSLASH) i++
    } else if (c === 58) members++
    else if (c === 123 || c === 91) {
      if (++depth > DEPTH) throw refuse('form.json', 'depth')
    } else if (c === 125 || c === 93) depth--
  }
  return members
}

function countKept(value: unknown): number {
  if (typeof value === 'string') {
    if (!value.isWellFormed()) throw refuse('form.json', 'lone surrogate')
    return 0
  }
  if (typeof value !== 'object' || value === null) return 0
  let members = 0
  if (Array.isArray(value)) for (const item of value) members += countKept(item)
  else
    for (const [key, item] of Object.entries(value)) {
      if (key === '__proto__') throw refuse('form.json', 'a member named __proto__')
      members += 1 + countKept(key) + countKept(item)
    }
  return members
}
