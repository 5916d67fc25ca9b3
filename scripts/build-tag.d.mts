/** @returns `function(__config){…}` */
export function buildTag(options?: { readonly minify?: boolean }): Promise<string>;
