//! Connections: how many there may be, how slow a client may be, and how all of it ends.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;
use tokio::task::LocalSet;

use super::doors::{Doors, say};
use crate::problem::Problem;

/// How many connections there may be. Others wait.
const CONNECTIONS: usize = 256;

/// The longest time for a connection: it has one request, whose client may be slow in writing, and in reading the answer. To decide takes
/// less than a third of it.
const CONNECTION_TIME: Duration = Duration::from_secs(30);

/// The longest time for requests under way to end.
const ENDING_TIME: Duration = Duration::from_secs(10);

/// The pause after a connection could not be taken, as when there are too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves until the process is told to end, then lets requests under way end.
pub async fn serve(address: SocketAddr, doors: Doors) -> Result<(), Problem> {
    let cannot = |error: std::io::Error| Problem::service(format!("--listen {address}: can't listen there: {error}"));
    let listener = TcpListener::bind(address).await.map_err(cannot)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
    say(&format!("gnomon {} listens on {}", env!("CARGO_PKG_VERSION"), listener.local_addr().map_err(cannot)?));
    let doors = Rc::new(doors);
    let tasks = LocalSet::new();
    let graceful = GracefulShutdown::new();
    let accept = tasks.run_until(accept(listener, &doors, &graceful));
    tokio::select! {
        () = accept => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    say("ending: requests under way are answered");
    let ended = tasks.run_until(tokio::time::timeout(ENDING_TIME, graceful.shutdown())).await;
    say(if ended.is_ok() { "ended" } else { "ended: some clients were too slow" });
    Ok(())
}

/// Takes connections, and serves each in a task of its own.
async fn accept(listener: TcpListener, doors: &Rc<Doors>, graceful: &GracefulShutdown) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut http = http1::Builder::new();
    http.keep_alive(false).timer(TokioTimer::new());
    // (The semaphore is never closed.)
    while let Ok(place) = Arc::clone(&room).acquire_owned().await {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let doors = Rc::clone(doors);
        let service = service_fn(move |request| {
            let doors = Rc::clone(&doors);
            async move { Ok::<_, std::convert::Infallible>(doors.answer(request).await) }
        });
        let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service));
        tokio::task::spawn_local(async move {
            // A client that leaves, or is too slow, is no news.
            let _ = tokio::time::timeout(CONNECTION_TIME, connection).await;
            drop(place);
        });
    }
}
