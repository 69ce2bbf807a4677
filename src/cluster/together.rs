//! Requests side by side, a bounded number at a time.

use tokio::task::JoinSet;

/// Runs futures side by side, at most `limit` of them at once; their results keep the order of the futures.
///
/// Dropped before its end, it drops what still runs.
pub(crate) async fn together<T, F>(limit: usize, futures: impl IntoIterator<Item = F>) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let mut waiting = futures.into_iter().enumerate();
    let mut running = JoinSet::new();
    let mut results: Vec<(usize, T)> = Vec::new();
    loop {
        while running.len() < limit.max(1) {
            let Some((position, future)) = waiting.next() else { break };
            running.spawn(async move { (position, future.await) });
        }
        match running.join_next().await {
            Some(Ok(result)) => results.push(result),
            Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
            None => break,
        }
    }
    results.sort_by_key(|(position, _)| *position);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn results_keep_the_order_of_their_futures() {
        let (first, second) = tokio::sync::oneshot::channel::<()>();
        let slow = Box::pin(async move {
            let _ = second.await;
            1
        }) as std::pin::Pin<Box<dyn Future<Output = i32> + Send>>;
        let quick = Box::pin(async move {
            let _ = first.send(());
            2
        });
        assert_eq!(together(2, [slow, quick]).await, [1, 2]);
    }
}
