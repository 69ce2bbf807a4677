//! The same work for many items, on all cores.

use std::num::NonZero;
use std::thread;

/// Does the same to every item; the results have the order of the items.
///
/// Panics of `act` are passed on.
pub(crate) fn on_all_cores<T: Sync, R: Send>(items: &[T], act: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let workers = thread::available_parallelism().map_or(1, NonZero::get);
    let share = items.len().div_ceil(workers).max(1);
    let mut shares = items.chunks(share);
    let own = shares.next().unwrap_or_default();
    thread::scope(|scope| {
        let act = &act;
        let others: Vec<_> =
            shares.map(|part| scope.spawn(move || part.iter().map(act).collect::<Vec<R>>())).collect();
        let mut results: Vec<R> = own.iter().map(act).collect();
        for part in others {
            results.extend(part.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        results
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_have_the_order_of_the_items() {
        for count in [0, 1, 2, 3, 100] {
            let items: Vec<usize> = (0..count).collect();
            let expected: Vec<usize> = (0..count).map(|item| item * 3).collect();
            assert_eq!(on_all_cores(&items, |item| item * 3), expected, "{count} items");
        }
    }
}
