/** @returns a CommonJS module */
export function buildDrachtioSrf(): Promise<string>;
export function withoutDebugTexts(source: string): string;
