//! A way to PostgreSQL on which no notification arrives, as behind a proxy that pools transactions.

use std::path::{Path, PathBuf};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy},
    net::{TcpListener, TcpStream, UnixStream},
    task::JoinSet,
};

/// Listens on a TCP port of loopback for as long as it is kept.
pub struct DeafProxy {
    /// The same database, through the proxy.
    pub url: String,
    task: tokio::task::JoinHandle<()>,
}

impl DeafProxy {
    /// To the database at `url`, which names a unix socket: `postgres://user@localhost/name?host=FOLDER`.
    pub async fn start(url: &str) -> Self {
        let (address, folder) = url.split_once("?host=").expect("a socket folder");
        let (user_part, name) = address.rsplit_once('/').expect("a database's name");
        let (user, _) = user_part.rsplit_once('@').expect("a user");
        let socket = Path::new(folder).join(".s.PGSQL.5432");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        Self {
            url: format!("{user}@127.0.0.1:{port}/{name}?sslmode=disable"),
            task: tokio::spawn(accept(listener, socket)),
        }
    }
}

impl Drop for DeafProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, socket: PathBuf) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        client.set_nodelay(true).expect("a socket");
        let Ok(server) = UnixStream::connect(&socket).await else {
            continue;
        };
        connections.spawn(pass_on(client, server));
    }
}

async fn pass_on(client: TcpStream, server: UnixStream) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let answers = async {
        loop {
            // A message of the server: its kind, its length with the length itself, its content.
            let mut head = [0; 5];
            from_server.read_exact(&mut head).await?;
            let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize - 4;
            let mut content = vec![0; length];
            from_server.read_exact(&mut content).await?;
            // NotificationResponse.
            if head[0] != b'A' {
                to_client.write_all(&[&head[..], &content].concat()).await?;
            }
        }
        #[expect(unreachable_code, reason = "names the type of the block")]
        Ok::<(), std::io::Error>(())
    };
    tokio::select! {
        _ = copy(&mut from_client, &mut to_server) => {}
        _ = answers => {}
    }
}
