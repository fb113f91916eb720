/** A chart is an SVG image of its own, drawn here and loaded by address: nothing of it runs, and the page's policy holds without a gap. */

import type { BarSeriesOption } from 'echarts/charts'
import { html } from 'hono/html'
import { BASE, type Visit } from './desk.ts'
import type { Markup } from './layout.ts'

/** Bars that stand on each other, one stack for each label. */
export type Bars = {
  readonly labels: readonly string[]
  readonly series: readonly { readonly name: string; readonly hue: Hue; readonly values: readonly number[] }[]
}
type Hue = 'good' | 'bad' | 'unknown' | 'declined'

/** Each told from its neighbour by lightness too, for those who do not see the colour. */
const hues = {
  light: { good: '#2b6ca3', bad: '#c8553d', unknown: '#8d99a5', declined: '#e2b866', ink: '#52606d', line: '#d5dce3' },
  dark: { good: '#5fa8e0', bad: '#e0806c', unknown: '#7f8b97', declined: '#e8c887', ink: '#a3b0bc', line: '#33404c' },
} as const

/** In which sizes and on which ground a chart is drawn: a wide one made small would have letters that nobody can read. */
const looks = {
  'wide-light': { width: 600, theme: 'light' },
  'wide-dark': { width: 600, theme: 'dark' },
  'narrow-light': { width: 330, theme: 'light' },
  'narrow-dark': { width: 330, theme: 'dark' },
} as const
type Look = keyof typeof looks
const HEIGHT = 230
/** Without quotation marks: the renderer writes it into an attribute as it is. */
const FONT = 'Noto Sans CJK SC, system-ui, PingFang SC, Microsoft YaHei, sans-serif'

/** The images of one chart, of which the browser loads the one that fits. `query` begins with `?` or is empty. */
export function picture(name: string, query: URLSearchParams, alt: string): Markup {
  const at = (look: Look) => {
    const search = new URLSearchParams(query)
    search.set('look', look)
    return `${BASE}/chart/${name}.svg?${search}`
  }
  return html`<picture>
<source media="(max-width: 520px) and (prefers-color-scheme: dark)" srcset="${at('narrow-dark')}" width="330" height="${HEIGHT}">
<source media="(max-width: 520px)" srcset="${at('narrow-light')}" width="330" height="${HEIGHT}">
<source media="(prefers-color-scheme: dark)" srcset="${at('wide-dark')}" width="600" height="${HEIGHT}">
<img src="${at('wide-light')}" width="600" height="${HEIGHT}" alt="${alt}">
</picture>`
}

/** Answers the request for an image of these bars, in the look that `?look=` names. */
export async function drawn(c: Visit, bars: Bars): Promise<Response> {
  const look = c.req.query('look') ?? ''
  const { width, theme } = looks[isLook(look) ? look : 'wide-light']
  // An image is a document too: styles of its own are all that it needs.
  c.header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
  return c.body(await drawBars(bars, width, theme), 200, { 'content-type': 'image/svg+xml; charset=utf-8' })
}

function isLook(text: string): text is Look {
  return Object.hasOwn(looks, text)
}

/** Draws bars as SVG. Names and labels are escaped by the renderer. */
export async function drawBars(bars: Bars, width: number, theme: keyof typeof hues): Promise<string> {
  // Loaded when first drawn: most gateways are looked at seldom.
  const { init } = await import('echarts/dist/echarts.esm.min.mjs')
  const chart = init(null, null, { renderer: 'svg', ssr: true, width, height: HEIGHT })
  const { ink, line, ...colours } = hues[theme]
  const text = { color: ink, fontSize: 12, fontFamily: FONT }
  try {
    chart.setOption({
      animation: false,
      textStyle: text,
      legend: { top: 0, left: 0, itemWidth: 12, itemHeight: 12, itemGap: 16, icon: 'rect', textStyle: text },
      grid: { left: 4, right: 8, top: 38, bottom: 4, containLabel: true },
      xAxis: {
        type: 'category',
        data: [...bars.labels],
        axisTick: { show: false },
        axisLine: { lineStyle: { color: line } },
        axisLabel: { ...text, interval: width < 400 ? 7 : 3 },
      },
      yAxis: {
        type: 'value',
        minInterval: 1,
        splitNumber: 4,
        splitLine: { lineStyle: { color: line } },
        axisLabel: text,
      },
      series: bars.series.map(
        ({ name, hue, values }): BarSeriesOption => ({
          type: 'bar',
          name,
          stack: 'all',
          data: [...values],
          itemStyle: { color: colours[hue] },
          barCategoryGap: '30%',
          silent: true,
        }),
      ),
    })
    return chart.renderToSVGString()
  } finally {
    chart.dispose()
  }
}
