//! The life of VMs and root contexts: configurations arrive, replace each other, and end, as on Envoy's threads.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::abi::guest;
use crate::contexts::{Context, Root, RootState, Vm};
use crate::host::Proxy;
use crate::traffic::Exchange;
use crate::vm::VmThread;
use crate::world::{PLUGIN, Place, World};

impl World {
    /// Starts a proxy's worker with a configuration; `None` if the filter refuses it. Every configuration is first tried in a VM of its
    /// own, which is then dropped without a word, as Envoy does on its main thread.
    pub fn load(&mut self, configuration: &str) -> Option<Place> {
        if !self.canary(PLUGIN, configuration) {
            return None;
        }
        let vm = self.start_vm();
        self.add_root(vm, PLUGIN, configuration)
    }

    /// Starts a worker without the trial: the second worker of a proxy.
    pub fn load_worker(&mut self, configuration: &str) -> Option<Place> {
        let vm = self.start_vm();
        self.add_root(vm, PLUGIN, configuration)
    }

    /// Changes the configuration within a VM: a new root context beside the old one, which ends once its streams have. A root context
    /// that still serves the very same text takes over again, as in Envoy, where the text is part of its key.
    pub fn update(&mut self, old: Place, configuration: &str) -> Option<Place> {
        let plugin = self.proxy().root(old.vm, old.root).map(|root| root.plugin.clone())?;
        if !self.canary(&plugin, configuration) {
            return None;
        }
        let new = match self.root_with(old.vm, &plugin, configuration, RootState::Serving) {
            Some(root) => Place { vm: old.vm, root },
            None => self.add_root(old.vm, &plugin, configuration)?,
        };
        self.closing.push(old);
        self.closing.retain(|place| *place != new);
        self.end_what_can_end();
        Some(new)
    }

    /// Who takes the place of `old`: "a new VM" or "the same VM", with the configuration `next`, or "a VM built anew".
    pub fn go_on(&mut self, old: Place, way: &str, next: &str) -> Place {
        match way {
            "a new VM" => {
                let place = self.load(next).expect("accepted");
                self.retire(old.vm);
                place
            }
            "the same VM" => self.update(old, next).expect("accepted"),
            "a VM built anew" => self.rebuild(old),
            _ => panic!("there is no way called {way}"),
        }
    }

    /// The VM trapped and is built anew from the same configuration, as with FAIL_RELOAD: nobody tells the guest. None of its streams may be
    /// open.
    pub fn rebuild(&mut self, old: Place) -> Place {
        assert!(!self.open_streams(old.vm, None), "its streams would get 503");
        let configuration = self.proxy().root(old.vm, old.root).map(|root| root.configuration.clone()).expect("it served");
        self.drop_vm(old.vm);
        self.load_worker(&configuration).expect("accepted before")
    }

    /// A second plugin in the same VM, with a root context of its own.
    pub fn load_beside(&mut self, place: Place, plugin: &str, configuration: &str) -> Option<Place> {
        self.add_root(place.vm, plugin, configuration)
    }

    /// Takes a plugin out of the proxy; its VM may have others.
    pub fn unload(&mut self, place: Place) {
        self.closing.push(place);
        self.end_what_can_end();
    }

    fn root_with(&self, vm: usize, plugin: &str, configuration: &str, state: RootState) -> Option<u32> {
        let proxy = self.proxy();
        let is_it = |context: &Context| match context {
            Context::Root(root) => root.plugin == plugin && root.configuration == configuration && root.state == state,
            Context::Stream(_) => false,
        };
        proxy.vms[vm].contexts.iter().find(|(_, context)| is_it(context)).map(|(id, _)| *id)
    }

    /// Ends a VM once its streams have ended: the proxy has a new one.
    pub fn retire(&mut self, vm: usize) {
        self.retired[vm] = true;
        self.end_what_can_end();
    }

    fn canary(&mut self, plugin: &str, configuration: &str) -> bool {
        let vm = self.start_vm();
        let accepted = self.add_root(vm, plugin, configuration).is_some();
        self.drop_vm(vm);
        accepted
    }

    fn start_vm(&mut self) -> usize {
        let vm = self.threads.len();
        self.proxy().vms.push(Vm::default());
        self.threads.push(Some(VmThread::start(self.shared.clone(), vm)));
        self.retired.push(false);
        self.fail_on_violations();
        vm
    }

    fn drop_vm(&mut self, vm: usize) {
        self.threads[vm] = None;
        self.proxy().vms[vm] = Vm::default();
    }

    fn add_root(&mut self, vm: usize, plugin: &str, configuration: &str) -> Option<Place> {
        let id = self.new_context(
            vm,
            Context::Root(Root {
                plugin: plugin.to_owned(),
                configuration: configuration.to_owned(),
                configuring: false,
                state: RootState::Serving,
                tick: Duration::ZERO,
                tick_generation: 0,
                calls: Default::default(),
                answer: None,
            }),
        );
        self.enter(vm, id, "on_context_create", move || guest::proxy_on_context_create(id, 0));
        let started = self.enter(vm, id, "on_vm_start", move || guest::proxy_on_vm_start(id, 0));
        let configure = |on: bool, proxy: &mut Proxy| proxy.root(vm, id).expect("the root is new").configuring = on;
        configure(true, &mut self.proxy());
        let size = configuration.len();
        let accepted = started && self.enter(vm, id, "on_configure", move || guest::proxy_on_configure(id, size));
        configure(false, &mut self.proxy());
        accepted.then_some(Place { vm, root: id })
    }

    pub(crate) fn new_context(&mut self, vm: usize, context: Context) -> u32 {
        let mut proxy = self.proxy();
        let vm = &mut proxy.vms[vm];
        vm.last_context += 1;
        vm.contexts.insert(vm.last_context, context);
        vm.last_context
    }

    fn open_streams(&self, vm: usize, root: Option<u32>) -> bool {
        let within = |it: &&Exchange| it.vm == vm && it.context != 0 && root.is_none_or(|root| root == it.root);
        self.exchanges.iter().filter(within).any(|it| !it.ended)
    }

    /// Old roots whose streams have ended, and VMs likewise.
    pub(crate) fn end_what_can_end(&mut self) {
        let can_end = |place: &&Place| !self.held_up.contains(&place.vm) && !self.open_streams(place.vm, Some(place.root));
        let (ready, rest): (Vec<Place>, Vec<Place>) = self.closing.iter().partition(can_end);
        self.closing = rest;
        for place in ready {
            self.end_root(place);
        }
        for vm in 0..self.threads.len() {
            let waits = self.held_up.contains(&vm) || self.open_streams(vm, None);
            if self.retired[vm] && self.threads[vm].is_some() && !waits {
                self.end_vm(vm);
            }
        }
    }

    fn end_root(&mut self, place: Place) {
        let Place { vm, root } = place;
        if self.proxy().root(vm, root).is_none_or(|it| it.state != RootState::Serving) {
            return;
        }
        if self.enter(vm, root, "on_done", move || guest::proxy_on_done(root)) {
            self.delete_root(place);
        } else {
            self.wait_for_done(place);
        }
    }

    /// Envoy keeps roots that wait by their key, which is made of the plugin and its configuration's text: a second one with the same
    /// key takes the place of the first, which goes without a word.
    fn wait_for_done(&mut self, place: Place) {
        let Place { vm, root } = place;
        let key = self.proxy().root(vm, root).map(|it| (it.plugin.clone(), it.configuration.clone())).unwrap_or_default();
        if let Some(first) = self.root_with(vm, &key.0, &key.1, RootState::WaitsForDone) {
            self.proxy().vms[vm].contexts.remove(&first);
        }
        if let Some(it) = self.proxy().root(vm, root) {
            it.state = RootState::WaitsForDone;
        }
    }

    /// The root goes, and with it the calls that still wait for an answer.
    pub(crate) fn delete_root(&mut self, place: Place) {
        let Place { vm, root } = place;
        self.enter(vm, root, "on_delete", move || guest::proxy_on_delete(root));
        self.proxy().vms[vm].contexts.remove(&root);
    }

    /// Every root hears `on_done`; then the VM goes, whatever they say.
    fn end_vm(&mut self, vm: usize) {
        let is_root = |context: &Context| matches!(context, Context::Root(_));
        let roots: Vec<u32> = self.proxy().vms[vm].contexts.iter().filter(|(_, it)| is_root(it)).map(|(id, _)| *id).collect();
        self.closing.retain(|place| place.vm != vm);
        for root in roots {
            self.end_root(Place { vm, root });
        }
        self.forget_series_of(vm);
        self.drop_vm(vm);
    }

    /// The host forgets a series once no VM has it. (A VM that traps is not the last one: the proxy's main thread has one of each.)
    fn forget_series_of(&mut self, vm: usize) {
        let mut proxy = self.proxy();
        let own = std::mem::take(&mut proxy.vms[vm].metrics);
        let kept: BTreeSet<&String> = proxy.vms.iter().flat_map(|vm| &vm.metrics).map(|(_, name)| name).collect();
        let gone: Vec<String> = own.into_iter().map(|(_, name)| name).filter(|name| !kept.contains(name)).collect();
        // Of an experiment that is over, whatever it found is.
        let is_over = |experiment: &str| !kept.iter().any(|name| name.contains(&format!("experiment=.={experiment};.;")));
        self.failed.borrow_mut().retain(|(labels, _)| !is_over(&labels[0]));
        for name in gone {
            proxy.metrics.forget(name);
        }
    }
}
