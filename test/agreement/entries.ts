/** An entry on a list as another city gives it, with all that lets it be recognised. */
import type { Value, WireRecord } from '#protocol/message.ts'

export function entryOn(
  list: string,
  fields: Readonly<Record<string, Value>> = {},
  marks: Partial<WireRecord> = {},
): WireRecord {
  const stated = {
    type: { code: list, original: `本市的${list}` },
    authority: '某局',
    document: '某演示〔2026〕1号',
    listed: '2026-05-01',
    publishedUntil: '2027-05-01',
  }
  return { id: `${list}-1`, family: 'list', fields: { ...stated, ...fields }, ...marks }
}
