//! Reads server-sent events (WHATWG HTML, "Server-sent events") from chunks of bytes.

/// One message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Message {
    /// The `event:` field, `message` when there was none.
    pub event: String,
    /// The `data:` lines, joined by newlines.
    pub data: String,
    /// The latest `id:` seen so far in the stream.
    pub id: Option<String>,
}

/// Feed it chunks, take messages.
#[derive(Debug, Default)]
pub struct Parser {
    buffer: Vec<u8>,
    event: String,
    data: Option<String>,
    id: Option<String>,
}

impl Parser {
    /// Nothing read yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The messages that `chunk` completed.
    pub fn feed(&mut self, chunk: &[u8]) -> Vec<Message> {
        self.buffer.extend_from_slice(chunk);
        let mut messages = Vec::new();
        let mut start = 0;
        while let Some(length) = self.buffer[start..].iter().position(|&byte| byte == b'\n') {
            let line = &self.buffer[start..start + length];
            let line = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned();
            start += length + 1;
            messages.extend(self.line(&line));
        }
        self.buffer.drain(..start);
        messages
    }

    fn line(&mut self, line: &str) -> Option<Message> {
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            let data = self.data.take()?;
            let event = if event.is_empty() { "message".to_owned() } else { event };
            return Some(Message {
                event,
                data,
                id: self.id.clone(),
            });
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event),
            "data" => match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            },
            "id" if !value.contains('\0') => self.id = Some(value.to_owned()),
            // Comments have an empty field name; unknown fields are ignored.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = ": keep-alive\n\nid: 7\nevent: deployment\ndata: {\"a\":1}\n\nevent: servers\ndata: x\ndata: y\n\ndata: {}\r\n\r\n";

    fn expected() -> Vec<Message> {
        let message = |event: &str, data: &str| Message {
            event: event.into(),
            data: data.into(),
            id: Some("7".into()),
        };
        vec![
            message("deployment", "{\"a\":1}"),
            message("servers", "x\ny"),
            message("message", "{}"),
        ]
    }

    #[test]
    fn whole_and_in_pieces_give_the_same() {
        assert_eq!(Parser::new().feed(STREAM.as_bytes()), expected());
        for size in 1..20 {
            let mut parser = Parser::new();
            let messages: Vec<_> = STREAM
                .as_bytes()
                .chunks(size)
                .flat_map(|chunk| parser.feed(chunk))
                .collect();
            assert_eq!(messages, expected(), "chunks of {size}");
        }
    }

    #[test]
    fn an_unfinished_message_is_not_given() {
        assert!(Parser::new().feed(b"event: end\ndata: {}\n").is_empty());
    }
}
