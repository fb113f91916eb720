/** Two things that a log said and that cannot both be true stand before everything, until somebody says that they know of it. */
import { html } from 'hono/html'
import { z } from 'zod'
import type { Contradiction } from '#ledger/log.ts'
import { CityId } from '#protocol/message.ts'
import { Refusal } from '#protocol/refusal.ts'
import { BASE, type Visit } from './desk.ts'
import { field } from './form.ts'
import { type Markup, page, reaches, trouble } from './layout.ts'
import { cityName, clock } from './shown.ts'
import { spoken } from './words.ts'

/** Two things that a log said and that cannot both be true: the gravest that can be found, so it stands before everything. */
export function contradictionsOf(all: readonly Contradiction[], against: string | undefined, c: Visit): Markup[] {
  const [language, staff] = [c.get('language'), c.get('staff')]
  const t = words[language]
  return [...Map.groupBy(all, ({ city }) => city)].map(([city, of]) => {
    const standing = of.filter(({ acknowledged }) => acknowledged === undefined)
    if (standing.length === 0) return html``
    const lines = standing.map(({ at, detail }) => html`<span class="row">${clock(at)} · ${detail}</span>`)
    // That somebody knows of it does not put our own log right.
    const isOurs = against !== undefined && city === c.get('desk').city.id
    return html`<div class="trouble" role="alert"><p><b>${t.contradiction(cityName(city, c))}</b></p><p>${lines}</p><p>${isOurs ? t.ownWhat : t.contradictionWhat}</p>
${
  !isOurs &&
  staff !== undefined &&
  reaches(staff.role, 'operator') &&
  html`<form method="post" action="${BASE}/contradiction"><input type="hidden" name="_csrf" value="${staff.csrf}"><input type="hidden" name="city" value="${city}"><input type="hidden" name="seen" value="${of.length}"><button class="button">${t.acknowledge}</button></form>`
}</div>`
  })
}

/** A city, and how many of its contradictions there were when the page was shown: what came after, nobody has seen. */
const Seen = z.object({
  city: CityId,
  seen: z
    .string()
    .regex(/^(0|[1-9][0-9]{0,8})$/)
    .transform(Number),
})

/** `POST /contradiction`: somebody knows of the contradictions that they were shown, and is written down for it. For operators. */
export async function acknowledgeContradiction(c: Visit): Promise<Response> {
  const staff = c.get('staff')
  const form = Seen.safeParse({ city: await field(c, 'city'), seen: await field(c, 'seen') })
  const { staff: staffing, transparency, city: us } = c.get('desk')
  if (staff === undefined || !form.success) return c.redirect(BASE, 303)
  const { city, seen } = form.data
  const { gossip } = transparency
  // Before it is recorded: what does not come about must not stand in the ledger.
  if (city === us.id && (await gossip.againstUs()) !== undefined) return notAcknowledged(c)
  await staffing.recorded(staff, 'acknowledged', 'contradiction', { filter: `city=${city}&seen=${seen}` })
  try {
    await gossip.acknowledge(city, seen, staff.name)
  } catch (error) {
    if (error instanceof Refusal && error.code === 'request.form') return notAcknowledged(c)
    throw error
  }
  return c.redirect(BASE, 303)
}

function notAcknowledged(c: Visit): Promise<Response> {
  const t = words[c.get('language')]
  const what = trouble(t.contradiction(cityName(c.get('desk').city.id, c)), t.ownWhat)
  return page(c, { title: t.notAcknowledged, active: 'today', status: 409 }, html`<h1>${t.notAcknowledged}</h1>${what}`)
}

const words = spoken({
  contradiction: (city: string) => ({ zh: `${city}的日志自相矛盾`, en: `The log of ${city} contradicts itself` }),
  contradictionWhat: {
    zh: '日志曾作出两个不可能同时为真的声明。保留证据，与该城市和联盟办公室核对。',
    en: 'It said two things that cannot both be true. Keep everything, and talk to the city and to the federation’s office.',
  },
  ownWhat: {
    zh: '这是本市自己的日志，不能以“已知悉”了结：网关已停止记录和答复。请恢复最新的日志；确已丢失的，按《透明日志》说明另立新日志。',
    en: 'It is our own log, which cannot be acknowledged away: the gateway records and answers nothing more. Bring back the newest ledger; where that is lost, begin a new one as the page on the transparency log says.',
  },
  notAcknowledged: { zh: '未予确认', en: 'This cannot be acknowledged' },
  acknowledge: { zh: '已知悉', en: 'I know of it' },
})
