//! stub
use super::options::GlobalOptions;
use crate::api::AppState;
pub struct Instance {
    pub state: AppState,
}
pub struct L;
impl L {
    pub async fn stop(self) {}
}
impl Instance {
    pub async fn open(_g: &GlobalOptions, _n: u32) -> anyhow::Result<Self> {
        anyhow::bail!("x")
    }
    pub async fn close(self) -> anyhow::Result<()> {
        Ok(())
    }
    pub async fn worker_is_alive(&self) -> anyhow::Result<bool> {
        Ok(true)
    }
    pub async fn start_worker_unless_one_is_alive(&self) -> anyhow::Result<Option<L>> {
        Ok(None)
    }
}
