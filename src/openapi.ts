/** The description of the inside surface (OpenAPI 3.1) is made from the schemas that requests are judged by, so it cannot differ from them. */
import { z } from 'zod'
import { createDocument } from 'zod-openapi'
import { AskAnswer, AskRequest } from '#exchange/ask.ts'
import { ReportFile, ReportRequest } from '#exchange/report.ts'
import { Problem } from '#protocol/message.ts'
import { Readiness } from './health.ts'

const problem = (description: string) => ({ description, content: { 'application/problem+json': { schema: Problem } } })

/** The document, for a city's own surface. */
export function describeInside(city: { readonly zh: string; readonly en: string }) {
  return createDocument({
    openapi: '3.1.0',
    info: {
      title: `Xinqiao 信桥 · ${city.zh} ${city.en}`,
      version: '1',
      description: 'What departments of this city ask through, and what operations watch. 部门查询与运行监测接口。',
    },
    servers: [{ url: '/' }],
    security: [{ department: [] }],
    components: {
      securitySchemes: {
        department: {
          type: 'http',
          scheme: 'bearer',
          description: 'a department key, issued by `xinqiao keys department` 部门密钥',
        },
      },
    },
    paths: {
      '/ask': {
        post: {
          operationId: 'ask',
          summary: 'Ask one peer city or all of them about enterprises 跨市查询',
          requestBody: { required: true, content: { 'application/json': { schema: AskRequest } } },
          responses: {
            '200': {
              description: 'what each peer said; a peer that said nothing is marked unknown',
              content: { 'application/json': { schema: AskAnswer } },
            },
            '400': problem('the request is not of this form, or its words are not of the vocabulary'),
            '401': problem('the department key is missing, wrong or expired'),
            '403': problem('the department, or the agreement, does not allow it'),
            '404': problem('there is no such peer'),
            '413': problem('the request is too large'),
            '500': problem('the gateway failed'),
            '503': problem(
              'too many questions at once, or the ledger cannot be written; Retry-After says when to come back',
            ),
          },
        },
      },
      '/report': {
        post: {
          operationId: 'report',
          summary: 'A signed report on one enterprise over all cities asked 跨市信用报告',
          requestBody: { required: true, content: { 'application/json': { schema: ReportRequest } } },
          responses: {
            '200': {
              description:
                'the report with its signature; as a page to print where Accept names text/html. What a city did not say is unknown in it, never none',
              content: { 'application/json': { schema: ReportFile }, 'text/html': {} },
            },
            '400': problem('the request is not of this form, or its words are not of the vocabulary'),
            '401': problem('the department key is missing, wrong or expired'),
            '403': problem('the department, or every agreement, does not allow it'),
            '404': problem('there is no such peer'),
            '413': problem('the request is too large'),
            '500': problem('the gateway failed'),
            '503': problem(
              'too many questions at once, or the ledger cannot be written; Retry-After says when to come back',
            ),
          },
        },
      },
      '/health/live': {
        get: {
          operationId: 'live',
          summary: 'Whether the process runs 存活',
          security: [],
          responses: {
            '200': {
              description: 'it runs',
              content: { 'application/json': { schema: z.strictObject({ live: z.literal(true) }) } },
            },
          },
        },
      },
      '/health/ready': {
        get: {
          operationId: 'ready',
          summary: 'Whether a question would be answered now, condition by condition 就绪',
          security: [],
          responses: {
            '200': { description: 'it would', content: { 'application/json': { schema: Readiness } } },
            '503': {
              description: 'it would not; the body names the condition',
              content: { 'application/json': { schema: Readiness } },
            },
          },
        },
      },
      '/metrics': {
        get: {
          operationId: 'metrics',
          summary: 'Prometheus text format 指标',
          security: [],
          responses: { '200': { description: 'the metrics', content: { 'text/plain': {} } } },
        },
      },
      '/openapi.json': {
        get: {
          operationId: 'describe',
          summary: 'This document 本说明',
          security: [],
          responses: { '200': { description: 'this document', content: { 'application/json': {} } } },
        },
      },
    },
  })
}
