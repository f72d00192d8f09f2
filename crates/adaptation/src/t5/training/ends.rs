//! What is before and behind the layers, for a block of pairs: the embedding, the last norms, the head.

use faer::{MatMut, Par, Scale};

use super::block::{Block, Side};
use super::pass::{Pass, Tokens};
use crate::kernels::columns::column_mut;
use crate::parts::blocks::Extent;
use crate::parts::dropout::DropoutSite;
use crate::parts::head::{Head, HeadWork};
use crate::parts::rms_norm::{rms_norm_backward, standardize, weighted};
use crate::parts::table::{Share, look_up, look_up_backward};
use crate::{Adapters, Applied, AppliedGradient, Real};

impl<'a, T: Real> Pass<'a, T> {
    /// The hidden states of one side from the embedding, after dropout.
    pub(super) fn embed(&self, adapters: &Adapters<T>, place: DropoutSite, side: &mut Side<T>) {
        let Side { extent, hidden, embedded, .. } = side;
        let tokens = self.tokens(place, extent);
        let mut hidden = hidden.write(self.config().hidden_size, tokens.count());
        for (token, row) in tokens.rows() {
            self.model.t5.vocabulary.copy_token(row, column_mut(hidden.as_mut(), token));
        }
        let site = self.config().embedding();
        look_up(self.prepared.at(site), adapters.applied(site), tokens.rows(), embedded, hidden.as_mut());
        self.drop_states(place, tokens, hidden);
    }

    pub(super) fn embed_backward(&self, place: DropoutSite, side: &mut Side<T>) {
        let Side { extent, gradient, embedded, embedding, .. } = side;
        let tokens = self.tokens(place, extent);
        let mut gradient = gradient.write(self.config().hidden_size, tokens.count());
        self.drop_states(place, tokens, gradient.as_mut());
        look_up_backward(self.prepared.at(self.config().embedding()), embedded, gradient.as_ref(), embedding);
    }

    /// A side's share of the gradient of the embedding's adapter.
    pub(super) fn share<'b>(
        &self,
        tokens: Tokens<'b>,
        side: &'b Side<T>,
    ) -> Share<'b, T, impl Iterator<Item = (usize, usize)> + Clone + use<'b, T>> {
        let gradient = side.gradient.read(self.config().hidden_size, tokens.count());
        Share { rows: tokens.rows(), partial: &side.embedding, gradient }
    }

    /// The states of one side: what follows its last layer.
    pub(super) fn last_norm(&self, place: DropoutSite, side: &mut Side<T>) {
        let (hidden, Side { extent, hidden: x, last, states, .. }) = (self.config().hidden_size, side);
        let tokens = self.tokens(place, extent);
        let count = tokens.count();
        let (mut standardized, inverse) = last.write(hidden, count);
        standardize(self.model.t5.epsilon(), x.read(hidden, count), standardized.as_mut(), inverse);
        let mut states = states.write(hidden, count);
        weighted(self.norm(place), standardized.as_ref(), states.as_mut());
        self.drop_states(place, tokens, states.as_mut());
        self.scale(place, states);
    }

    /// From the gradient of the states, which is lost, to that of the hidden states.
    pub(super) fn last_norm_backward(&self, place: DropoutSite, side: &mut Side<T>) {
        let (hidden, Side { extent, gradient, last, d_states, .. }) = (self.config().hidden_size, side);
        let tokens = self.tokens(place, extent);
        let count = tokens.count();
        let mut d_states = d_states.write(hidden, count);
        self.scale(place, d_states.as_mut());
        self.drop_states(place, tokens, d_states.as_mut());
        let (standardized, inverse) = last.read(hidden, count);
        let mut gradient = gradient.write(hidden, count);
        gradient.fill(T::of(0.0));
        rms_norm_backward(self.norm(place), standardized, inverse, d_states.as_ref(), gradient);
    }

    /// Scales the decoder's states where the head is the embedding.
    fn scale(&self, place: DropoutSite, mut states: MatMut<'_, T>) {
        if place == DropoutSite::Decoded && self.config().tied {
            states *= Scale(self.model.t5.head_scale());
        }
    }

    /// The loss, and the gradient of the targets' states, if a way back follows.
    pub(super) fn head(
        &self,
        blocks: &mut [Block<T>],
        work: &mut HeadWork<T>,
        applied: Option<Applied<'_, T>>,
        gradient: Option<&mut AppliedGradient<T>>,
        par: Par,
    ) -> f64 {
        let (hidden, (places, ids)) = (self.config().hidden_size, self.pairs.targets().places_and_ids());
        let sides = blocks.iter().map(|block| &block.target);
        work.gather(hidden, places, sides.map(|side| (&side.extent, side.states.read(hidden, side.extent.count()))));
        let (frozen, transposed) = (self.model.t5.vocabulary.head(), &*self.model.head);
        let prepared = self.prepared.at(self.config().head());
        let head = Head { frozen, transposed, prepared, ids, targets: ids.len(), adds: false, keep: self.keep };
        let loss = head.loss(work, applied, gradient, par);
        if self.keep {
            let states = blocks.iter_mut().map(|Block { target: Side { extent, d_states, .. }, .. }| {
                let count = extent.count();
                (&*extent, d_states.write(hidden, count))
            });
            work.scatter(hidden, places, states);
        }
        loss
    }

    /// The tokens of the side that a place of dropout outside of layers belongs to.
    fn tokens<'b>(&self, place: DropoutSite, extent: &'b Extent) -> Tokens<'b>
    where
        'a: 'b,
    {
        match place {
            DropoutSite::Embeddings | DropoutSite::Encoded => self.sources(extent),
            _ => self.targets(extent),
        }
    }

    /// The norm before a place of dropout.
    fn norm(&self, place: DropoutSite) -> &'a [T] {
        let t5 = &self.model.t5;
        if place == DropoutSite::Encoded { &t5.encoder.norm } else { &t5.decoder.norm }
    }
}
