/** A list that an agreement grants, and that the giver's own mapping can never give an entry of, is told before anybody counts on it. */
import type { MappingForm } from '#schema/format.ts'
import type { Vocabulary } from '#schema/vocabulary.ts'

/** The codes of `list-types` that a row of some table may come out as: a constant, or a word that means this one list and no other. */
export function listsOf({ tables, codes }: MappingForm, { families }: Vocabulary): ReadonlySet<string> {
  const found = new Set<string>()
  for (const { family, fields } of Object.values(tables)) {
    const rule = fields[families.get(family)?.listField ?? '']
    if (rule?.constant !== undefined) found.add(rule.constant)
    if (rule?.codes === undefined) continue
    const named = typeof rule.codes === 'string' ? [rule.codes] : Object.values(rule.codes.lists)
    for (const { relation, codes: meant } of named.flatMap(name => codes[name]?.read ?? [])) {
      const [only, ...others] = meant
      if (only !== undefined && others.length === 0 && (relation === 'exact' || relation === 'narrower'))
        found.add(only)
    }
  }
  return found
}
