// The cards' words come with the page's.
export { isEnglish, items, say, texts, told } from '../texts.js';
