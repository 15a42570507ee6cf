import { memo } from "react";
import ReactMarkdown from "react-markdown";
import rehypeSanitize from "rehype-sanitize";
import remarkGfm from "remark-gfm";

import { texts } from "../texts";

/** What is longer is shown in parts, so that no text makes the page stand still. */
const LONGEST = 400_000;

/** Markdown of anybody's, shown harmlessly: no HTML of its own, no scripts, no pictures from elsewhere, known addresses only. */
export const Markdown = memo(function Markdown({ text }: { text: string }) {
  return (
    <div className="markdown">
      <ReactMarkdown
        remarkPlugins={[remarkGfm]}
        rehypePlugins={[rehypeSanitize]}
        skipHtml
        components={{
          a: ({ children, href }) => (
            <a href={href} target="_blank" rel="noopener noreferrer nofollow">
              {children}
            </a>
          ),
          // A picture from elsewhere would tell who reads.
          img: ({ alt, src }) => (
            <a href={typeof src === "string" ? src : undefined} target="_blank" rel="noopener noreferrer nofollow">
              {alt || (typeof src === "string" ? src : "")}
            </a>
          ),
          // Who has no mouse scrolls what is too wide, too.
          pre: ({ children }) => (
            <pre tabIndex={0} role="region" aria-label={texts.code}>
              {children}
            </pre>
          ),
          table: ({ children }) => (
            <div className="table" tabIndex={0} role="region" aria-label={texts.table}>
              <table>{children}</table>
            </div>
          ),
        }}
      >
        {text.slice(0, LONGEST)}
      </ReactMarkdown>
    </div>
  );
});
