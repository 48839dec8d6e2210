//! Modbus TCP, by tokio-modbus.

use super::{Answer, connect};
use crate::modbus::{Ask, BusError, Reply};
use crate::models::Function;
use std::borrow::Cow;
use std::time::Duration;
use tokio::time::{Instant, timeout};
use tokio_modbus::client::{Client as _, Context, tcp};
use tokio_modbus::slave::{Slave, SlaveContext as _};
use tokio_modbus::{Error, Request, Response};

/// A connection. After a missing answer it is made anew: a late answer ends with the old one.
pub struct Tcp {
    host: String,
    context: Option<Context>,
}

impl Tcp {
    pub(super) async fn connect(host: &str) -> Result<Self, BusError> {
        let context = tcp::attach(connect(host).await?);
        Ok(Self {
            host: host.into(),
            context: Some(context),
        })
    }

    pub(super) async fn exchange(
        &mut self,
        address: u8,
        ask: &Ask,
        patience: Duration,
    ) -> Result<Answer, BusError> {
        let mut context = match self.context.take() {
            Some(context) => context,
            None => tcp::attach(connect(&self.host).await?),
        };
        context.set_slave(Slave(address));
        let began = Instant::now();
        let answer = timeout(patience, context.call(request(ask))).await;
        let turnaround = began.elapsed();
        let reply = match answer {
            Err(_) => return Err(BusError::NoReply),
            Ok(Err(Error::Protocol(_))) => return Err(BusError::WrongMeter),
            Ok(Err(Error::Transport(error))) => {
                return Err(BusError::Line(format!("{}: {error}", self.host)));
            }
            Ok(Ok(Err(code))) => Err(BusError::Exception(code.into())),
            Ok(Ok(Ok(response))) => Ok(reply(ask, response).ok_or(BusError::Short)?),
        };
        self.context = Some(context);
        Ok(Answer {
            reply: reply?,
            turnaround,
        })
    }
}

fn request(ask: &Ask) -> Request<'static> {
    match ask {
        Ask::Read {
            function,
            start,
            count,
        } => match function {
            Function::Coils => Request::ReadCoils(*start, *count),
            Function::Discrete => Request::ReadDiscreteInputs(*start, *count),
            Function::Holding => Request::ReadHoldingRegisters(*start, *count),
            Function::Input => Request::ReadInputRegisters(*start, *count),
        },
        Ask::WriteCoil { address, on } => Request::WriteSingleCoil(*address, *on),
        Ask::WriteRegister { address, value } => Request::WriteSingleRegister(*address, *value),
        Ask::WriteRegisters { address, values } => {
            Request::WriteMultipleRegisters(*address, Cow::Owned(values.clone()))
        }
    }
}

/// The reply, if it is as long as was asked for and names what was written.
fn reply(ask: &Ask, response: Response) -> Option<Reply> {
    match (ask, response) {
        (
            Ask::Read {
                function: Function::Holding,
                count,
                ..
            },
            Response::ReadHoldingRegisters(words),
        )
        | (
            Ask::Read {
                function: Function::Input,
                count,
                ..
            },
            Response::ReadInputRegisters(words),
        ) => (words.len() == usize::from(*count)).then_some(Reply::Words(words)),
        (
            Ask::Read {
                function: Function::Coils,
                count,
                ..
            },
            Response::ReadCoils(bits),
        )
        | (
            Ask::Read {
                function: Function::Discrete,
                count,
                ..
            },
            Response::ReadDiscreteInputs(bits),
        ) => {
            let count = usize::from(*count);
            let whole = bits.len() == count || bits.len() == count.div_ceil(8) * 8;
            whole.then(|| Reply::Bits(bits.into_iter().take(count).collect()))
        }
        (Ask::WriteCoil { address, on }, Response::WriteSingleCoil(at, was)) => {
            ((*address, *on) == (at, was)).then_some(Reply::Written)
        }
        (Ask::WriteRegister { address, value }, Response::WriteSingleRegister(at, was)) => {
            ((*address, *value) == (at, was)).then_some(Reply::Written)
        }
        (Ask::WriteRegisters { address, values }, Response::WriteMultipleRegisters(at, count)) => {
            let same = *address == at && values.len() == usize::from(count);
            same.then_some(Reply::Written)
        }
        _ => None,
    }
}
