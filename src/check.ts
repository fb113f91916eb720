/** Who may see which field for what purpose, and where the configuration stands: what an operator reads before signing or starting. */
import { type Agreement, checkSignature, type Signed } from '#agreement/agreement.ts'
import { scopeOf } from '#agreement/authorise.ts'
import { Refusal } from '#protocol/refusal.ts'
import type { Vocabulary } from '#schema/vocabulary.ts'
import type { Members } from '#trust/members.ts'
import type { Configuration } from './gateway.ts'

/** One line for each agreement, direction, purpose and family: the matrix of what leaves and what comes. */
export type Disclosed = {
  readonly agreement: string
  readonly from: string
  readonly to: string
  readonly purpose: string
  readonly family: string
  readonly kinds: readonly string[]
  readonly level: string
  readonly fields: readonly string[]
  readonly lists: readonly string[]
  readonly schemes: readonly string[]
}

/** Every disclosure that the agreements permit between us and others, by the same rules that a question is judged by. */
export function matrix({ agreements, vocabulary, us }: Configuration): Disclosed[] {
  return agreements.all.flatMap(signed =>
    directions(signed, us.id).flatMap(({ from, to }) =>
      [...vocabulary.purposes.keys()].flatMap(purpose => permitted(signed, from, to, purpose, vocabulary)),
    ),
  )
}

function directions({ text }: Signed, us: string) {
  return text.parties
    .filter(party => party !== us)
    .flatMap(peer => [
      { from: us, to: peer },
      { from: peer, to: us },
    ])
}

function permitted(signed: Signed, from: string, to: string, purpose: string, vocabulary: Vocabulary): Disclosed[] {
  const want = [...vocabulary.families.keys()].map(family => ({ family }))
  try {
    const { families } = scopeOf(signed, { from, to, purpose, want }, vocabulary)
    return [...families].flatMap(([family, clauses]) =>
      clauses.map(({ kinds, level, fields, lists, schemes }) => ({
        agreement: signed.text.id,
        from,
        to,
        purpose,
        family,
        kinds: [...kinds],
        level,
        fields: [...fields],
        lists: [...(lists ?? [])],
        schemes: [...(schemes ?? [])],
      })),
    )
  } catch (error) {
    if (error instanceof Refusal) return []
    throw error
  }
}

/** The matrix as text for a person, with the Chinese names beside the codes. */
export function describeMatrix(rows: readonly Disclosed[], { vocabulary }: Configuration): string {
  const lines: string[] = []
  let heading = ''
  for (const row of rows) {
    const now = `${row.agreement}   ${row.from} → ${row.to}`
    if (now !== heading) lines.push('', now)
    heading = now
    const family = vocabulary.families.get(row.family)
    const purpose = vocabulary.purposes.get(row.purpose)
    const names = row.fields.map(field => family?.fields.get(field)?.zh ?? field)
    lines.push(
      `  ${purpose?.zh ?? ''} ${row.purpose} · ${family?.zh ?? ''} ${row.family} · ${row.kinds.join(', ')} · ≤ ${row.level}`,
    )
    lines.push(`      字段 fields   ${names.join('、')}`)
    if (row.lists.length > 0)
      lines.push(`      名单 lists    ${row.lists.map(list => vocabulary.lists.get(list)?.zh ?? list).join('、')}`)
    if (row.schemes.length > 0)
      lines.push(
        `      评价 schemes  ${row.schemes.map(scheme => vocabulary.schemes.get(scheme)?.zh ?? scheme).join('、')}`,
      )
  }
  return lines.join('\n')
}

/** How each party's signature on an agreement stands: `signed`, or the reason why not. */
export function signatures(
  text: Agreement,
  read: (party: string) => string | undefined,
  members: Members,
  now: number,
) {
  return text.parties.map(party => {
    const detached = read(party)
    if (detached === undefined) return { party, state: 'missing' }
    try {
      checkSignature(text, party, detached, members, now)
      return { party, state: 'signed' }
    } catch (error) {
      if (error instanceof Refusal) return { party, state: error.message }
      throw error
    }
  })
}
