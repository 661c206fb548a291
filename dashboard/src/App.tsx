import { lazy, Suspense } from "react";
import { Redirect, Route, Switch } from "wouter";
import { Layout } from "./components/layout";
import { Empty, Loading } from "./components/states";
import { ContinuousPage } from "./pages/continuous";
import { TokenPage } from "./pages/token";
import { useAuth } from "./stores/auth";

const PaperPage = lazy(() => import("./pages/paper"));
const ExperimentsPage = lazy(() => import("./pages/experiments"));
const ExperimentPage = lazy(() => import("./pages/experiments/one"));
const ModelsPage = lazy(() => import("./pages/models"));
const ModelPage = lazy(() => import("./pages/models/one"));
const AuditPage = lazy(() => import("./pages/audit"));
const DataPage = lazy(() => import("./pages/data"));

/** Every page; those that are not seen first are loaded when they are opened. */
export function App() {
  const refused = useAuth((state) => state.refused);
  if (refused) return <TokenPage />;
  return (
    <Layout>
      <Suspense fallback={<Loading lines={6} />}>
        <Switch>
          <Route path="/">
            <Redirect to="/continuous" replace />
          </Route>
          <Route path="/paper" component={PaperPage} />
          <Route path="/continuous" component={ContinuousPage} />
          <Route path="/experiments" component={ExperimentsPage} />
          <Route path="/experiments/:id" component={ExperimentPage} />
          <Route path="/models" component={ModelsPage} />
          <Route path="/models/:id" component={ModelPage} />
          <Route path="/data/:id?" component={DataPage} />
          <Route path="/audit" component={AuditPage} />
          <Route>
            <Empty title="There is no such page">The sidebar has all there are.</Empty>
          </Route>
        </Switch>
      </Suspense>
    </Layout>
  );
}
