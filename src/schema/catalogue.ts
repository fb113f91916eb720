/** What is public credit information at all stands in a catalogue, the national one or a city's own; what stands in none is none. */
import { z } from 'zod'
import { CityId, Code } from '#protocol/message.ts'

/** One item of a catalogue: a family of records, or some lists or rating schemes of it. */
export type CatalogueItem = {
  readonly code: string
  readonly validFrom: string | null
  readonly validTo: string | null
  readonly family: string
  /** Undefined: all of the family. */
  readonly names: readonly string[] | undefined
  /** The cities whose supplementary catalogue (地方补充目录) has it; undefined for the national one. */
  readonly cities: readonly string[] | undefined
}

/** What an item says beside what every code of the vocabulary says. */
export const catalogueItem = {
  cities: z.array(CityId).min(1).optional(),
  family: Code,
  lists: z.array(Code).min(1).optional(),
  schemes: z.array(Code).min(1).optional(),
}

type Form = Pick<CatalogueItem, 'code' | 'validFrom' | 'validTo'> & z.infer<z.ZodObject<typeof catalogueItem>>
type Known = {
  readonly families: ReadonlyMap<string, unknown>
  readonly lists: ReadonlyMap<string, unknown>
  readonly schemes: ReadonlyMap<string, unknown>
}

/** An item of its file's form. */
export function asItem({ code, validFrom, validTo, cities, family, lists, schemes }: Form): CatalogueItem {
  return { code, validFrom, validTo, family, cities, names: lists ?? schemes }
}

/** Tells every code of the items that the vocabulary does not have. */
export function checkCatalogue(
  items: readonly Form[],
  known: Known,
  fault: (path: string, problem: string, remedy: string) => void,
): void {
  const remedy = 'Correct the code, or add it to its set'
  for (const { code, family, lists = [], schemes = [] } of items) {
    if (!known.families.has(family)) fault(code, `there is no family ${family}`, remedy)
    for (const list of lists) if (!known.lists.has(list)) fault(code, `there is no list ${list}`, remedy)
    for (const scheme of schemes)
      if (!known.schemes.has(scheme)) fault(code, `there is no rating scheme ${scheme}`, remedy)
    if (lists.length > 0 && schemes.length > 0) fault(code, 'an item names lists or schemes', 'Make two items of it')
  }
}
