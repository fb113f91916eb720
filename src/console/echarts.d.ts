/** The prebuilt single file of Apache ECharts is typed as its core is: read as one file, it costs a quarter of the memory of its modules. */
declare module 'echarts/dist/echarts.esm.min.mjs' {
  export { init } from 'echarts/core'
}
