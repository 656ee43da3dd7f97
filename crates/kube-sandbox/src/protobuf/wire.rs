//! The protobuf wire format.

/// One field of a message.
#[derive(Debug)]
pub(super) struct Field<'a> {
    pub(super) number: u64,
    pub(super) payload: Payload<'a>,
}

#[derive(Debug)]
pub(super) enum Payload<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    /// Read over; no Kubernetes type uses it.
    Fixed32,
}

const TRUNCATED: &str = "the protobuf message ends too early";

/// All fields of a message, in wire order.
pub(super) fn fields(mut bytes: &[u8]) -> Result<Vec<Field<'_>>, String> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes)?;
        let payload = match tag & 7 {
            0 => Payload::Varint(varint(&mut bytes)?),
            1 => {
                let (head, rest) = bytes.split_first_chunk::<8>().ok_or(TRUNCATED)?;
                bytes = rest;
                Payload::Fixed64(u64::from_le_bytes(*head))
            }
            2 => {
                let length = usize::try_from(varint(&mut bytes)?).map_err(|_| TRUNCATED)?;
                let content = bytes.get(..length).ok_or(TRUNCATED)?;
                bytes = &bytes[length..];
                Payload::Bytes(content)
            }
            5 => {
                bytes = bytes.get(4..).ok_or(TRUNCATED)?;
                Payload::Fixed32
            }
            other => return Err(format!("unknown protobuf wire type {other}")),
        };
        all.push(Field {
            number: tag >> 3,
            payload,
        });
    }
    Ok(all)
}

fn varint(bytes: &mut &[u8]) -> Result<u64, String> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first().ok_or(TRUNCATED)?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err("a protobuf number is longer than 64 bits".to_owned())
}
